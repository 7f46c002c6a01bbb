import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Countdown, Timed } from '../../../src/router/countdown.ts';

/** What runs when the sockets have been read: at once, unless a test reads them itself. */
let afterReading: (run: () => void) => void;

beforeEach(() => {
  vi.useFakeTimers();
  afterReading = (run) => run();
  vi.stubGlobal('setImmediate', (run: () => void) => afterReading(run));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

class Named extends Timed {
  readonly #name: string;
  readonly #told: string[];

  constructor(name: string, told: string[]) {
    super();
    this.#name = name;
    this.#told = told;
  }

  timeUp(): void {
    this.#told.push(`${this.#name} at ${Date.now() - began}`);
  }
}

let began = 0;

function world(milliseconds = 100) {
  began = Date.now();
  const told: string[] = [];
  const countdown = new Countdown(milliseconds, () => Date.now());
  const start = (name: string) => {
    const timed = new Named(name, told);
    countdown.start(timed);
    return timed;
  };
  return { countdown, told, start };
}

describe('a countdown', () => {
  it('tells each when its own time is up, and once', () => {
    const { told, start } = world();
    start('a');
    vi.advanceTimersByTime(30);
    start('b');
    vi.advanceTimersByTime(500);
    expect(told).toEqual(['a at 100', 'b at 130']);
  });

  it.each([
    { stopped: ['a'], left: ['b at 100', 'c at 100'] },
    { stopped: ['b'], left: ['a at 100', 'c at 100'] },
    { stopped: ['c'], left: ['a at 100', 'b at 100'] },
    { stopped: ['a', 'c'], left: ['b at 100'] },
    { stopped: ['c', 'b', 'a'], left: [] },
  ])('does not tell $stopped, which was stopped', ({ stopped, left }) => {
    const { countdown, told, start } = world();
    const all = new Map(['a', 'b', 'c'].map((name) => [name, start(name)]));
    for (const name of stopped) {
      countdown.stop(all.get(name)!);
      countdown.stop(all.get(name)!);
    }
    vi.advanceTimersByTime(500);
    expect(told).toEqual(left);
  });

  it('goes on for those who come after all others have been stopped', () => {
    const { countdown, told, start } = world();
    countdown.stop(start('a'));
    vi.advanceTimersByTime(70);
    start('b');
    vi.advanceTimersByTime(500);
    expect(told).toEqual(['b at 170']);
  });

  it('does not tell those whose answer is read before it is decided that it was late', () => {
    const { countdown, told, start } = world();
    const reading: (() => void)[] = [];
    afterReading = (run) => void reading.push(run);
    const a = start('a');
    start('b');
    vi.advanceTimersByTime(100);
    countdown.stop(a);
    for (const run of reading) run();
    expect(told).toEqual(['b at 100']);
  });

  it('may be stopped and started from what it tells', () => {
    const { countdown, told, start } = world();
    const second = new Named('second', told);
    const first = new (class extends Timed {
      timeUp(): void {
        countdown.stop(second);
        start('third');
      }
    })();
    countdown.start(first);
    countdown.start(second);
    vi.advanceTimersByTime(1000);
    expect(told).toEqual(['third at 200']);
  });
});
