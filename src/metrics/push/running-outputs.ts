import { resolve } from 'node:path';
import type { OutputConfig } from './config.ts';
import { openQueue, sameQueue } from './open-queue.ts';
import { PushOutput, type PushDeps } from './push-output.ts';
import { pushStats } from './push-stats.ts';
import type { Snapshot } from './snapshot.ts';

interface Running {
  readonly config: OutputConfig;
  readonly output: PushOutput;
}

/** The outputs of one configuration, and those of former ones that have not ended yet. No queue on the disk is open twice. */
export class RunningOutputs {
  readonly #deps: PushDeps;
  #running: readonly Running[] = [];
  readonly #ending = new Map<Running, Promise<number>>();

  constructor(deps: PushDeps) {
    this.#deps = deps;
  }

  async offer(snapshot: Snapshot): Promise<void> {
    await Promise.all(this.#running.map(({ output }) => output.offer(snapshot)));
  }

  /**
   * Goes on with these outputs. One that has another configuration by the same name takes over what waits; one that is gone ends in its
   * own time.
   * @returns what takes effect at the next start only
   * @throws Node's error when the folder of a new queue cannot be used; then nothing has changed
   */
  async replace(configs: readonly OutputConfig[]): Promise<readonly string[]> {
    const notes: string[] = [];
    const makers = await allOrNone(
      configs.map((config) => this.#prepare(config, notes)),
      (maker) => maker.abandon(),
    );
    // From here on without a pause, so that no snapshot is missed.
    const before = this.#running;
    this.#running = makers.flatMap(({ make }) => make());
    for (const one of before) if (!this.#running.includes(one) && !one.output.hasSuccessor) this.#end(one);
    return notes;
  }

  /**
   * Ends all series and delivers what can be delivered within `close_timeout`.
   * @returns how many batches are lost
   */
  async close(): Promise<number> {
    for (const one of this.#running) this.#end(one);
    const lost = await Promise.all(this.#ending.values());
    return lost.reduce((sum, one) => sum + one, 0);
  }

  async #prepare(config: OutputConfig, notes: string[]): Promise<Maker> {
    const former = this.#running.find((one) => one.config.name === config.name);
    const stats = pushStats(this.#deps.stats, config.name);
    const as = (output: PushOutput): Running => ({ config, output });
    if (former !== undefined && JSON.stringify(former.config) === JSON.stringify(config))
      return { make: () => [former], abandon: nothing };
    if (former !== undefined && sameQueue(former.config, config)) {
      return {
        make: () => [as(new PushOutput(config, this.#deps, former.output.handOver(config), stats))],
        abandon: nothing,
      };
    }
    if (this.#isOpen(config.queue?.path)) {
      notes.push(`push.outputs: ${config.name} has a queue that is in use, which it gets at the next start`);
      return { make: () => (former === undefined ? [] : [former]), abandon: nothing };
    }
    const queue = await openQueue(config, this.#deps, stats);
    return {
      make: () => [as(new PushOutput(config, this.#deps, { queue }, stats))],
      abandon: () => queue.close(),
    };
  }

  #isOpen(path: string | undefined): boolean {
    if (path === undefined) return false;
    const open = [...this.#running, ...this.#ending.keys()].map(({ config }) => config.queue?.path);
    return open.some((other) => other !== undefined && resolve(other) === resolve(path));
  }

  #end(one: Running): void {
    const ended = one.output.close().finally(() => {
      this.#ending.delete(one);
      if (!this.#running.some(({ config }) => config.name === one.config.name))
        pushStats(this.#deps.stats, one.config.name).forget();
    });
    this.#ending.set(one, ended);
  }
}

/** How one output is to be had, once all others can be had, too. */
interface Maker {
  readonly make: () => readonly Running[];
  readonly abandon: () => Promise<void>;
}

const nothing = async () => {};

async function allOrNone<T>(asked: readonly Promise<T>[], abandon: (one: T) => Promise<void>): Promise<readonly T[]> {
  const settled = await Promise.allSettled(asked);
  const failed = settled.find((one) => one.status === 'rejected');
  const had = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (failed === undefined) return had;
  await Promise.all(had.map(abandon));
  throw failed.reason;
}
