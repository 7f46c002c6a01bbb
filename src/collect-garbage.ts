import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (
  options: { readonly type: 'minor' } | { readonly type: 'major'; readonly flavor: 'last-resort' },
) => void;

let known: Collect | undefined;

/** The collector: `node --expose-gc` shows it; without, a context that is made while the flag is set has it, for 1.5 MB. */
function collector(): Collect {
  if (known !== undefined) return known;
  known = globalThis.gc;
  if (known !== undefined) return known;
  setFlagsFromString('--expose-gc');
  known = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return known;
}

/** Frees young objects and the buffers behind them, in a fraction of a millisecond. */
export function collectYoung(): void {
  collector()({ type: 'minor' });
}

/**
 * Frees all that nobody holds, and gives the emptied pages back to the system: 10 MB of what starting takes, in 25 ms.
 * HAProxy does the like after a start and a reload.
 */
export function collectAll(): void {
  collector()({ type: 'major', flavor: 'last-resort' });
}
