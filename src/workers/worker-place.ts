import type { ProcessLog } from '../process-log.ts';
import type { CounterHandle } from '../stats/index.ts';
import { longLife, restartDelay } from './restart-delay.ts';
import type { WorkerLink } from './worker-link.ts';

/** How often a worker is asked whether it is alive, and milliseconds without an answer after which it is not. */
const pingInterval = 1000;
const hangTime = 10_000;

export interface WorkerPlaceParts {
  readonly log: ProcessLog;
  readonly restarts: CounterHandle;
  /** Starts a worker for this place. @throws when it does not come to serve */
  fill(place: WorkerPlace): Promise<unknown>;
  /** Who was here is no more. */
  ended(place: WorkerPlace, link: WorkerLink): void;
}

/** The place of a worker, which several processes may take one after the other: one that ends or hangs is replaced. */
export class WorkerPlace {
  readonly worker: number;
  readonly #parts: WorkerPlaceParts;
  #link: WorkerLink | undefined;
  #live = false;
  #restarts = 0;
  /** Of the restarts, how many in a row were of workers that have not lived long. */
  #streak = 0;
  #ending = false;

  /** @param worker its number, from 1 */
  constructor(worker: number, parts: WorkerPlaceParts) {
    this.worker = worker;
    this.#parts = parts;
  }

  /** Undefined while nobody is there. */
  get link(): WorkerLink | undefined {
    return this.#link;
  }

  /** Who is there serves. */
  get live(): boolean {
    return this.#live;
  }

  /** Of those that were here, how many have ended without being told to. */
  get restarts(): number {
    return this.#restarts;
  }

  /** A process has been started, and takes the place. */
  take(link: WorkerLink): void {
    this.#link = link;
    const since = performance.now();
    void link.exited.then((how) => {
      const served = this.#live;
      this.#link = undefined;
      this.#live = false;
      this.#parts.ended(this, link);
      if (!served || this.#ending) return;
      if (performance.now() - since >= longLife) this.#streak = 0;
      void this.#replace(how);
    });
  }

  /** It serves: from here on, there will be another one after it. */
  serves(link: WorkerLink): void {
    this.#live = true;
    if (this.#ending) link.kill();
    void this.#watchOver(link);
  }

  /** Whoever ends from now on is not replaced. */
  replaceNoMore(): void {
    this.#ending = true;
  }

  /** Until it ends. One whose event loop hangs serves nobody, and is ended, so that another one takes its place. */
  async #watchOver(link: WorkerLink): Promise<void> {
    while (this.#link === link && !this.#ending) {
      const asked = performance.now();
      const answers = await link.ask('ping', {}, hangTime).then(
        () => true,
        () => false,
      );
      const waited = performance.now() - asked;
      // Sooner, and it has ended; later, and we have hung ourselves and cannot tell who else has.
      const hangs = !answers && waited >= hangTime - 1 && waited < hangTime + pingInterval;
      if (hangs && this.#link === link && !this.#ending) {
        const { log } = this.#parts;
        log.error('worker hangs and is replaced', { worker: this.worker, pid: link.pid, silent_ms: hangTime });
        link.kill();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, pingInterval).unref());
    }
  }

  /** Until somebody is there. */
  async #replace(how: number | string): Promise<void> {
    const { worker } = this;
    const { log, restarts } = this.#parts;
    for (;;) {
      this.#restarts++;
      this.#streak++;
      restarts.add();
      const delay = restartDelay(this.#streak);
      log.error('worker ended; another one takes its place', { worker, ended: how, delay_ms: delay });
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (this.#ending) return;
      try {
        await this.#parts.fill(this);
        log.info('worker replaced', { worker, pid: this.#link?.pid });
        return;
      } catch (error) {
        how = (error as Error).message;
        this.#link?.kill();
        if (this.#ending) return;
      }
    }
  }
}
