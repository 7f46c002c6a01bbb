import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createProcessLog } from '../../../src/process-log.ts';
import { Stats } from '../../../src/stats/index.ts';
import { GroupStats } from '../../../src/workers/group-stats.ts';
import { describeFamilies } from '../../../src/workers/merge-metrics.ts';
import { WorkerLink } from '../../../src/workers/worker-link.ts';
import { WorkerPlace } from '../../../src/workers/worker-place.ts';

/** The process of a worker, which is asked for its metrics. */
class ScriptedWorker extends EventEmitter {
  readonly stats = new Stats();
  readonly link: WorkerLink;
  /** It gives no answer. */
  busy = false;

  /** @param requests that it has served, and serves now */
  constructor(requests: number) {
    super();
    this.stats.counter('requests', 'd').with({}).add(requests);
    this.stats.gauge('active', 'd').with({}).set(requests);
    this.link = new WorkerLink(this as unknown as ChildProcess, { wished() {}, told() {}, ceiling() {} });
  }

  send({ id, name }: { id: number; name: string }, sent: (error: Error | null) => void): void {
    if (name !== 'metrics') return;
    if (this.busy) sent(new Error('busy'));
    else void describeFamilies(this.stats).then((answer) => this.emit('message', { id, answer }));
  }

  async end(): Promise<void> {
    this.emit('exit', 0, null);
    await this.link.exited;
  }
}

function group(...workers: ScriptedWorker[]) {
  const primary = new Stats();
  primary.counter('reloads', 'd').with({}).add(1);
  const parts = {
    log: createProcessLog({ level: 'off', format: 'json' }),
    restarts: primary.counter('restarts', 'd').with({}),
    fill: () => Promise.resolve(),
    ended: (place: WorkerPlace) => stats.ended(place),
  };
  const places = workers.map(({ link }, at) => {
    const place = new WorkerPlace(at + 1, parts);
    place.take(link);
    place.serves(link);
    // Their end is the end.
    place.replaceNoMore();
    return place;
  });
  const stats = new GroupStats(primary, places);
  const shown = async () =>
    (await stats.render()).split('\n').filter((line) => /^(?:reloads|requests|active)/.test(line));
  return { shown, primary };
}

describe('the metrics of a group', () => {
  it('are those of the primary and of all workers', async () => {
    const { shown } = group(new ScriptedWorker(1), new ScriptedWorker(20));
    expect(await shown()).toEqual(['reloads 1', 'requests 21', 'active 21']);
  });

  it('keep what a worker had counted that has ended, and nothing of what it was doing', async () => {
    const [first, second] = [new ScriptedWorker(1), new ScriptedWorker(20)];
    const { shown } = group(first, second);
    await shown();
    await second.end();
    expect(await shown()).toEqual(['reloads 1', 'requests 21', 'active 1']);
    await first.end();
    expect(await shown()).toEqual(['reloads 1', 'requests 21']);
  });

  it('count a worker once that ends while they are put together', async () => {
    const [first, second] = [new ScriptedWorker(1), new ScriptedWorker(20)];
    const { shown, primary } = group(first, second);
    await shown();
    primary.observed('end', 'd', [], () => {
      void second.end();
      return [];
    });
    expect(await shown()).toEqual(['reloads 1', 'requests 21', 'active 1']);
  });

  it('are what a worker said last that is too busy to answer', async () => {
    const [first, second] = [new ScriptedWorker(1), new ScriptedWorker(20)];
    const { shown } = group(first, second);
    await shown();
    second.busy = true;
    expect(await shown()).toEqual(['reloads 1', 'requests 21', 'active 21']);
  });
});
