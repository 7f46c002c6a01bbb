import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorRateBreaker, type BreakerReason, type BreakerState } from '../../../src/cluster/error-rate-breaker.ts';
import type { UpstreamError } from '../../../src/http/index.ts';

const config = {
  error_threshold_percentage: 50,
  minimum_requests: 4,
  window: 10_000,
  open_duration: 30_000,
  max_open_duration: 60_000,
};

let states: BreakerState[];
let reasons: BreakerReason[];
let breaker: ErrorRateBreaker;

beforeEach(() => {
  vi.useFakeTimers();
  states = [];
  reasons = [];
  breaker = new ErrorRateBreaker('app', config, (state, reason) => {
    states.push(state);
    reasons.push(reason);
  });
});
afterEach(() => {
  breaker.close();
  vi.useRealTimers();
});

/** F is a failure, s a success, a abandoned. */
async function run(outcomes: string): Promise<void> {
  for (const outcome of outcomes) {
    breaker.enter()(outcome === 'F' ? 'failure' : outcome === 's' ? 'success' : 'abandoned');
    await vi.advanceTimersByTimeAsync(0);
  }
}

function refusal(): UpstreamError | undefined {
  try {
    breaker.enter()('abandoned');
    return undefined;
  } catch (error) {
    return error as UpstreamError;
  }
}

describe('a closed breaker', () => {
  it.each([
    ['too few requests', 'FFF', 'closed'],
    ['enough of them, all failed', 'FFFF', 'open'],
    ['half of them failed, which is not more than half', 'sFsF', 'closed'],
    ['more than half of them failed', 'sFsFF', 'open'],
    ['clients that left are neither', 'aaaaFFF', 'closed'],
    ['nothing failed', 'ssssssss', 'closed'],
  ])('%s (%s): %s', async (_name, outcomes, state) => {
    await run(outcomes);
    expect(breaker.state).toBe(state);
  });

  it('forgets what is older than the window', async () => {
    await run('FFF');
    await vi.advanceTimersByTimeAsync(11_000);
    await run('FFF');
    expect(breaker.state).toBe('closed');
  });

  it('counts a response that broke later as a failure', async () => {
    await run('s');
    for (let n = 0; n < 4; n++) breaker.brokeLater();
    await vi.advanceTimersByTimeAsync(0);
    expect(breaker.state).toBe('open');
  });
});

describe('an open breaker', () => {
  beforeEach(() => run('FFFF'));

  it('refuses at once', () => {
    expect(refusal()).toMatchObject({ status: 503, flag: 'UO', details: 'upstream_circuit_open', untouched: true });
  });

  it('does not care for requests that began before it opened', async () => {
    const other = new ErrorRateBreaker('other', config);
    const early = [other.enter(), other.enter()];
    for (let n = 0; n < 4; n++) other.enter()('failure');
    await vi.advanceTimersByTimeAsync(0);
    early[0]!('success');
    await vi.advanceTimersByTimeAsync(30_000);
    early[1]!('success');
    await vi.advanceTimersByTimeAsync(0);
    expect(other.state).toBe('half_open');
    other.close();
  });

  it('lets exactly one through when its time is up', async () => {
    await vi.advanceTimersByTimeAsync(29_999);
    expect(refusal()).toBeDefined();
    await vi.advanceTimersByTimeAsync(1);
    const probe = breaker.enter();
    for (let n = 0; n < 200; n++) expect(refusal()).toMatchObject({ details: 'upstream_circuit_open' });
    probe('success');
    await vi.advanceTimersByTimeAsync(0);
    expect(refusal()).toBeUndefined();
    expect(states).toEqual(['open', 'half_open', 'closed']);
  });

  it('opens again when the probe fails', async () => {
    await vi.advanceTimersByTimeAsync(30_000);
    await run('F');
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(59_999);
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(1);
    await run('s');
    expect(states).toEqual(['open', 'half_open', 'open', 'half_open', 'closed']);
    expect(reasons).toEqual(['error_rate', 'time_is_up', 'probe_failed', 'time_is_up', 'probe_succeeded']);
    expect([breaker.transitions, breaker.reason]).toEqual([5, 'probe_succeeded']);
  });

  it('opens for twice as long with each probe that fails, up to its bound, and for the first length after a good one', async () => {
    const lengths: number[] = [];
    for (let n = 0; n < 3; n++) {
      lengths.push(breaker.nextOpening);
      await vi.advanceTimersByTimeAsync(60_000);
      await run('F');
    }
    expect(lengths).toEqual([60_000, 60_000, 60_000]);
    await vi.advanceTimersByTimeAsync(60_000);
    await run('s');
    expect(breaker.nextOpening).toBe(30_000);
  });

  it('opens again when the probe hangs, and does not care what becomes of it later', async () => {
    await vi.advanceTimersByTimeAsync(30_000);
    const probe = breaker.enter();
    // A millisecond more: what a timer has decided waits until the sockets have been read.
    await vi.advanceTimersByTimeAsync(30_001);
    expect([breaker.state, breaker.reason]).toEqual(['open', 'probe_timeout']);
    probe('success');
    await vi.advanceTimersByTimeAsync(0);
    expect(breaker.state).toBe('open');
    await vi.advanceTimersByTimeAsync(60_000);
    await run('s');
    expect(breaker.state).toBe('closed');
  });

  it('takes another probe when the client of the first has left', async () => {
    await vi.advanceTimersByTimeAsync(30_000);
    const probe = breaker.enter();
    expect(refusal()).toBeDefined();
    probe('abandoned');
    expect(breaker.state).toBe('half_open');
    await run('s');
    expect(breaker.state).toBe('closed');
  });

  it('hears each probe once', async () => {
    await vi.advanceTimersByTimeAsync(30_000);
    const probe = breaker.enter();
    probe('abandoned');
    const second = breaker.enter();
    probe('success');
    await vi.advanceTimersByTimeAsync(0);
    expect(breaker.state).toBe('half_open');
    expect(refusal()).toBeDefined();
    second('failure');
    await vi.advanceTimersByTimeAsync(0);
    expect(breaker.state).toBe('open');
  });
});

it('a breaker that is closed for good lets everything through and leaves no timer', async () => {
  await run('FFFF');
  breaker.close();
  expect(refusal()).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});
