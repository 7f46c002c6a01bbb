import type { CeilingNews, CeilingOrder } from './ceiling-message.ts';

/** Milliseconds that users have to say what they can spare. */
const patience = 50;

interface Member<Worker> {
  readonly worker: Worker;
  readonly number: number;
  readonly ceiling: SharedCeiling<Worker>;
  share: number;
}

interface SharedCeiling<Worker> {
  readonly key: string;
  /** Nobody's. */
  free: number;
  readonly members: Set<Member<Worker>>;
  /** Who has asked for more and not been answered, in order. */
  readonly asking: Member<Worker>[];
  /** While others are asked what they can spare: those who have not answered. */
  round: { readonly waiting: Set<Member<Worker>>; readonly timer: NodeJS.Timeout } | undefined;
}

/**
 * Which worker may use how much of which ceiling: the primary's book. What is written here as somebody's share is never
 * less than what that one thinks it has, and all shares and what is free together are the ceiling.
 */
export class CeilingLedger<Worker> {
  readonly #tell: (worker: Worker, order: CeilingOrder) => void;
  readonly #ceilings = new Map<string, SharedCeiling<Worker>>();
  readonly #members = new Map<Worker, Map<number, Member<Worker>>>();

  constructor(tell: (worker: Worker, order: CeilingOrder) => void) {
    this.#tell = tell;
  }

  hear(worker: Worker, news: CeilingNews): void {
    if ('join' in news) return this.#join(worker, news.ceiling, news.join);
    const member = this.#members.get(worker)?.get(news.ceiling);
    if (member === undefined) return;
    if ('gave' in news) this.#gave(member, news.gave);
    else if ('leave' in news) this.#leave(member);
    else this.#ask(member);
  }

  /** It has ended: what it had is free. */
  forget(worker: Worker): void {
    for (const member of this.#members.get(worker)?.values() ?? []) this.#leave(member);
    this.#members.delete(worker);
  }

  #join(worker: Worker, number: number, { key, most, fair }: { key: string; most: number; fair: number }): void {
    let ceiling = this.#ceilings.get(key);
    if (ceiling === undefined) {
      ceiling = { key, free: most, members: new Set(), asking: [], round: undefined };
      this.#ceilings.set(key, ceiling);
    }
    const member: Member<Worker> = { worker, number, ceiling, share: 0 };
    ceiling.members.add(member);
    const own = this.#members.get(worker) ?? new Map<number, Member<Worker>>();
    this.#members.set(worker, own.set(number, member));
    // The others have more than their part.
    if (ceiling.free < fair) return this.#ask(member);
    this.#grant(member, fair);
  }

  #ask(member: Member<Worker>): void {
    const { ceiling } = member;
    if (!ceiling.asking.includes(member)) ceiling.asking.push(member);
    this.#next(ceiling);
  }

  /** Gives what is free, else asks the others: one round at a time. */
  #next(ceiling: SharedCeiling<Worker>): void {
    while (ceiling.round === undefined) {
      const [first] = ceiling.asking;
      if (first === undefined) return;
      if (ceiling.free > 0) {
        ceiling.asking.shift();
        this.#grant(first, Math.ceil(ceiling.free / 2));
        continue;
      }
      const others = [...ceiling.members].filter((other) => other !== first && other.share > 0);
      if (others.length === 0) {
        ceiling.asking.shift();
        this.#grant(first, 0);
        continue;
      }
      const timer = setTimeout(() => this.#endRound(ceiling), patience);
      ceiling.round = { waiting: new Set(others), timer };
      for (const { worker, number } of others) this.#tell(worker, { ceiling: number, give: true });
    }
  }

  #gave(member: Member<Worker>, amount: number): void {
    const { ceiling } = member;
    member.share -= amount;
    ceiling.free += amount;
    this.#heard(member);
  }

  #heard(member: Member<Worker>): void {
    const { round } = member.ceiling;
    if (round?.waiting.delete(member) === true && round.waiting.size === 0) this.#endRound(member.ceiling);
  }

  #endRound(ceiling: SharedCeiling<Worker>): void {
    clearTimeout(ceiling.round?.timer);
    ceiling.round = undefined;
    const first = ceiling.asking.shift();
    if (first !== undefined) this.#grant(first, ceiling.free);
    this.#next(ceiling);
  }

  #grant(member: Member<Worker>, amount: number): void {
    member.ceiling.free -= amount;
    member.share += amount;
    this.#tell(member.worker, { ceiling: member.number, add: amount });
  }

  #leave(member: Member<Worker>): void {
    const { ceiling } = member;
    this.#members.get(member.worker)?.delete(member.number);
    ceiling.members.delete(member);
    ceiling.free += member.share;
    const at = ceiling.asking.indexOf(member);
    if (at === 0 && ceiling.round !== undefined) {
      // What comes of its round is for the next one who asks.
      clearTimeout(ceiling.round.timer);
      ceiling.round = undefined;
    }
    if (at >= 0) ceiling.asking.splice(at, 1);
    this.#heard(member);
    if (ceiling.members.size === 0) this.#ceilings.delete(ceiling.key);
    else this.#next(ceiling);
  }
}
