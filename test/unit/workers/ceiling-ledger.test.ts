import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { evenPart } from '../../../src/cluster/ceiling-share.ts';
import { Allowance } from '../../../src/cluster/circuit-breakers.ts';
import type { CeilingNews, CeilingOrder } from '../../../src/workers/ceiling-message.ts';
import { CeilingLedger } from '../../../src/workers/ceiling-ledger.ts';
import { WorkerCeilings } from '../../../src/workers/worker-ceilings.ts';
import { Random } from '../../support/random.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A worker with one ceiling, and its two ways to and from the primary, on which messages wait to be delivered in order. */
class Worker {
  readonly up: CeilingNews[] = [];
  readonly down: CeilingOrder[] = [];
  readonly ceilings: WorkerCeilings;
  readonly allowance: Allowance;
  /** What it believes to be its share. */
  share!: { readonly most: number };
  /** Places that are held for later only. */
  idle = 0;

  constructor(worker: number, workers: number, most: number, keep: number) {
    this.ceilings = new WorkerCeilings({ worker, workers }, (news) => this.up.push(news));
    this.allowance = new Allowance(most, undefined, (use) => {
      const share = this.ceilings.share({ ...use, key: 'app max_requests', keep });
      this.share = share;
      return share;
    });
    this.allowance.onNeed = () => {
      if (this.idle === 0) return;
      this.idle--;
      this.allowance.leave();
    };
    void this.allowance.join();
  }
}

class Group {
  readonly #most: number;
  readonly #keep: number;
  readonly workers: Worker[];
  readonly ledger = new CeilingLedger<Worker>((worker, order) => worker.down.push(order));

  constructor(count: number, most: number, keep = 0) {
    this.#most = most;
    this.#keep = keep;
    this.workers = Array.from({ length: count }, (_, at) => new Worker(at + 1, count, most, keep));
    this.deliverAll();
  }

  /** @returns whether there was something to deliver */
  deliver(worker: Worker, way: 'up' | 'down'): boolean {
    if (way === 'up') {
      const news = worker.up.shift();
      if (news !== undefined) this.ledger.hear(worker, news);
      return news !== undefined;
    }
    const order = worker.down.shift();
    if (order !== undefined) worker.ceilings.hear(order);
    return order !== undefined;
  }

  deliverAll(): void {
    const ways = ['up', 'down'] as const;
    while (this.workers.some((worker) => ways.some((way) => this.deliver(worker, way))));
  }

  replace(at: number): void {
    this.ledger.forget(this.workers[at]!);
    this.workers[at] = new Worker(at + 1, this.workers.length, this.#most, this.#keep);
  }

  get shares(): number[] {
    return this.workers.map(({ share }) => share.most);
  }

  /** What one worker can take when it tries again and again. */
  takeAll(at: number): number {
    const { allowance } = this.workers[at]!;
    let taken = 0;
    for (let vain = 0; vain < 3;) {
      if (allowance.enter()) {
        taken++;
        vain = 0;
      } else {
        vain++;
        this.deliverAll();
        vi.advanceTimersByTime(20);
      }
    }
    return taken;
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('a ceiling that workers share', () => {
  it.each([
    [2, 100, [50, 50]],
    [3, 100, [34, 33, 33]],
    [2, 1, [1, 0]],
    [4, 2, [1, 1, 0, 0]],
    [2, 0, [0, 0]],
  ])('is divided among %i when it is %i', (count, most, shares) => {
    expect(new Group(count, most).shares).toEqual(shares);
  });

  it.each([
    [2, 100],
    [3, 7],
    [8, 1],
  ])('of %i is one worker’s when the others do not need it (%i)', (count, most) => {
    for (let at = 0; at < count; at++) expect(new Group(count, most).takeAll(at)).toBe(most);
  });

  it('leaves each worker what is to be kept, where there is enough for all', () => {
    expect(new Group(2, 10, 1).takeAll(0)).toBe(9);
    expect(new Group(4, 3, 1).takeAll(3)).toBe(3);
  });

  it('is asked for before a share runs out', () => {
    const group = new Group(2, 100);
    for (let count = 0; count < 44; count++) expect(group.workers[0]!.allowance.enter()).toBe(true);
    group.deliverAll();
    expect(group.shares).toEqual([75, 25]);
  });

  it('gives what is only kept for later to whoever needs it', () => {
    const group = new Group(2, 2);
    const [one, other] = group.workers as [Worker, Worker];
    expect(group.takeAll(0)).toBe(2);
    one.idle = 1;
    expect(other.allowance.enter()).toBe(false);
    vi.advanceTimersByTime(20);
    group.deliverAll();
    expect(other.allowance.enter()).toBe(true);
    expect([one.allowance.used, other.allowance.used]).toEqual([1, 1]);
  });

  it('tells those who wait for room when there is some, without being asked again', () => {
    const group = new Group(2, 2);
    const [one, other] = group.workers as [Worker, Worker];
    expect(group.takeAll(0)).toBe(2);
    let waiting = true;
    other.allowance.onRoom = () => {
      if (waiting) waiting = !other.allowance.enter();
    };
    other.allowance.enter();
    group.deliverAll();
    expect(waiting).toBe(true);
    one.allowance.leave();
    for (let turn = 0; turn < 3; turn++) {
      vi.advanceTimersByTime(20);
      group.deliverAll();
    }
    expect(waiting).toBe(false);
  });

  it('is whole again when a worker has ended, and its place has its part', () => {
    const group = new Group(2, 100);
    expect(group.takeAll(0)).toBe(100);
    group.replace(0);
    group.deliverAll();
    expect(group.takeAll(1)).toBe(100);
    for (let count = 0; count < 100; count++) group.workers[1]!.allowance.leave();
    expect(group.takeAll(0)).toBe(100);
  });

  it('goes on without a worker that does not answer', () => {
    const group = new Group(3, 30);
    const [asks, silent, spares] = group.workers as [Worker, Worker, Worker];
    for (let count = 0; count < 10; count++) asks.allowance.enter();
    expect(asks.allowance.enter()).toBe(false);
    for (let turn = 0; turn < 4; turn++) {
      for (const worker of [asks, spares]) while (group.deliver(worker, 'up') || group.deliver(worker, 'down'));
      vi.advanceTimersByTime(50);
    }
    expect(asks.share.most).toBe(15);
    expect(silent.share.most).toBe(10);
    // What it has to say later counts.
    group.deliverAll();
    expect(group.takeAll(0)).toBe(20);
  });

  it('is free for others when a use of it is over, and not before', () => {
    const group = new Group(2, 10);
    const [one] = group.workers as [Worker];
    expect(group.takeAll(0)).toBe(10);
    one.allowance.close();
    expect(group.takeAll(1)).toBe(0);
    for (let count = 0; count < 10; count++) one.allowance.leave();
    group.deliverAll();
    expect(group.takeAll(1)).toBe(10);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is never exceeded, whatever happens in whatever order (seed %i)', (seed) => {
    const random = new Random(seed);
    const count = 2 + random.below(3);
    const most = 1 + random.below(20);
    const group = new Group(count, most, random.below(2));
    for (let step = 0; step < 5000; step++) {
      const at = random.below(count);
      const worker = group.workers[at]!;
      const chance = random.next();
      if (chance < 0.4) worker.allowance.enter();
      else if (chance < 0.6) {
        if (worker.allowance.used > 0) worker.allowance.leave();
      } else if (chance < 0.95) group.deliver(worker, chance < 0.78 ? 'up' : 'down');
      else if (chance < 0.99) vi.advanceTimersByTime(random.below(60));
      else group.replace(at);
      expect(sum(group.shares)).toBeLessThanOrEqual(most);
      expect(sum(group.workers.map(({ allowance }) => allowance.used))).toBeLessThanOrEqual(most);
    }
    // And nothing of it is lost.
    for (const { allowance } of group.workers) while (allowance.used > 0) allowance.leave();
    group.deliverAll();
    vi.advanceTimersByTime(1000);
    group.deliverAll();
    expect(group.takeAll(0)).toBeGreaterThanOrEqual(most - (count - 1));
  });
});

it.each([
  [3, 2, [2, 1]],
  [3, 4, [1, 1, 1, 0]],
  [0, 2, [0, 0]],
  [10, 3, [4, 3, 3]],
])('%i divided by %i workers evenly', (amount, workers, parts) => {
  expect(Array.from({ length: workers }, (_, at) => evenPart(amount, { worker: at + 1, workers }))).toEqual(parts);
});
