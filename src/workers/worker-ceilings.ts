import { evenPart, type CeilingShare, type CeilingShares, type CeilingUse } from '../cluster/ceiling-share.ts';
import type { CeilingNews, CeilingOrder } from './ceiling-message.ts';

/** Milliseconds after which nobody waits for the primary any more. */
const patience = 100;
/** Milliseconds until the primary is asked again after it had nothing. */
const pause = 20;

/** The ceilings of a worker: it takes from its own shares at once, and asks the primary for more before they run out. */
export class WorkerCeilings implements CeilingShares {
  readonly workers: number;
  readonly worker: number;
  readonly #send: (news: CeilingNews) => void;
  readonly #shares = new Map<number, WorkerShare>();
  #next = 1;

  constructor({ worker, workers }: { worker: number; workers: number }, send: (news: CeilingNews) => void) {
    this.worker = worker;
    this.workers = workers;
    this.#send = send;
  }

  hear(order: CeilingOrder): void {
    const share = this.#shares.get(order.ceiling);
    if (share !== undefined) return 'add' in order ? share.added(order.add) : share.give();
  }

  share(use: CeilingUse): CeilingShare {
    const number = this.#next++;
    const share = new WorkerShare(use, {
      number,
      fair: evenPart(use.most, this),
      keep: use.most < this.workers * use.keep ? 0 : use.keep,
      send: this.#send,
      joined: () => this.#shares.set(number, share),
      ended: () => this.#shares.delete(number),
    });
    return share;
  }
}

interface WorkerShareHost {
  readonly number: number;
  /** Its share when nobody needs more. */
  readonly fair: number;
  /** What of it stays in any case. */
  readonly keep: number;
  send(news: CeilingNews): void;
  joined(): void;
  ended(): void;
}

class WorkerShare implements CeilingShare {
  readonly #use: CeilingUse;
  readonly #host: WorkerShareHost;
  most = 0;
  #state: 'new' | 'joined' | 'closing' | 'ended' = 'new';
  /** While the primary is being asked. */
  #asked: { readonly answer: Promise<void>; readonly resolve: () => void } | undefined;
  /** Until it is asked again, when it had nothing. */
  #pause: NodeJS.Timeout | undefined;
  #again = false;
  #joining = false;

  constructor(use: CeilingUse, host: WorkerShareHost) {
    this.#use = use;
    this.#host = host;
  }

  join(): Promise<void> {
    const { key, most } = this.#use;
    this.#state = 'joined';
    this.#joining = true;
    this.#host.joined();
    return this.#request({ ceiling: this.#host.number, join: { key, most, fair: this.#host.fair } });
  }

  ask(): void {
    if (this.#asked !== undefined || this.#state !== 'joined' || this.most >= this.#use.most) return;
    if (this.#pause !== undefined) this.#again = true;
    else void this.#request({ ceiling: this.#host.number, short: true });
  }

  more(): Promise<void> | undefined {
    this.ask();
    return this.#asked?.answer;
  }

  added(amount: number): void {
    this.most += amount;
    if (amount === 0 && !this.#joining) this.#rest();
    this.#joining = false;
    this.#asked?.resolve();
    this.#asked = undefined;
    this.#use.changed();
  }

  /** Half of what is not used, for somebody who has nothing left. */
  give(): void {
    const spare = () => Math.max(0, this.most - Math.max(this.#use.used(), this.#host.keep));
    if (spare() === 0) this.#use.makeRoom();
    const gave = Math.ceil(spare() / 2);
    this.most -= gave;
    this.#host.send({ ceiling: this.#host.number, gave });
  }

  close(): void {
    if (this.#state === 'joined') this.#state = 'closing';
    this.left();
  }

  left(): void {
    if (this.#state !== 'closing' || this.#use.used() > 0) return;
    this.#state = 'ended';
    clearTimeout(this.#pause);
    this.#host.ended();
    this.#host.send({ ceiling: this.#host.number, leave: true });
    this.most = 0;
    this.#asked?.resolve();
    this.#asked = undefined;
  }

  #request(news: CeilingNews): Promise<void> {
    let resolve!: () => void;
    const answer = new Promise<void>((done) => {
      const timer = setTimeout(done, patience);
      resolve = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#asked = { answer, resolve };
    this.#host.send(news);
    return answer;
  }

  /** Whoever asks meanwhile is asked for at the end. */
  #rest(): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.ask();
    }, pause);
    this.#pause.unref();
  }
}
