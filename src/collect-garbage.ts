import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;
let collect: Collect | undefined;

/**
 * Frees young objects (`minor`) or all (`major`) that nobody holds any more, and the buffers behind them. Node.js shows the
 * collector to contexts that are made while a flag is set.
 */
export function collectGarbage(type: 'minor' | 'major'): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
    setFlagsFromString('--no-expose-gc');
  }
  collect({ type });
}
