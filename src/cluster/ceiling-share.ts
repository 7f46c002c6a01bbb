/** What of a ceiling is ours, where several processes share it. */
export interface CeilingShare {
  /** How much we may use now. The shares of all together are never more than the ceiling. */
  readonly most: number;
  /** Asks for what others do not use, unless that is being done. Does not say when; see {@link CeilingUse.changed}. */
  ask(): void;
  /** Resolves when it is known whether there is more; undefined when there was none a moment ago. Never rejects. */
  more(): Promise<void> | undefined;
  /** Resolves when we have a share. Never rejects, and does not take longer than a moment. */
  join(): Promise<void>;
  /** What was taken is over: somebody else may have it as soon as nothing is used. */
  close(): void;
  /** Something was given back. */
  left(): void;
}

/** One process's use of a ceiling. */
export interface CeilingUse {
  /** The same in all processes for what shall be one ceiling. */
  readonly key: string;
  /** The ceiling. */
  readonly most: number;
  /** So much stays here in any case, if there is enough for all. */
  readonly keep: number;
  used(): number;
  /** Gives up what is kept for later only, if there is any. */
  makeRoom(): void;
  /** Told when we were given more, and when we asked in vain. */
  changed(): void;
}

/** Where processes get their shares from. */
export interface CeilingShares {
  /** Of how many processes this is which one, from 1. */
  readonly workers: number;
  readonly worker: number;
  share(use: CeilingUse): CeilingShare;
}

/** The part of an amount that is one worker's when it is divided evenly. All parts together are the amount. */
export function evenPart(amount: number, { worker, workers }: Pick<CeilingShares, 'worker' | 'workers'>): number {
  return Math.floor(amount / workers) + (worker <= amount % workers ? 1 : 0);
}
