import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { collectAndShrink } from './collect-garbage.ts';
import { optimise } from './v8-flags.ts';

/**
 * What a program does when it runs, and there is hardly anybody yet who would wait for it. A compile cache is good only for the
 * flags of V8 that it was written with: it is written first, because a process that is killed writes nothing, and flags come later.
 * @param flags of V8 for the work that now begins
 */
export function started(flags: readonly string[] = []): void {
  flushCompileCache();
  for (const flag of flags) setFlagsFromString(flag);
  // It also decides how far the heap may grow until the next one.
  collectAndShrink();
  optimise();
}
