/** Imported for its effect, before all else, by the programs that serve exchanges. */
import { setFlagsFromString } from 'node:v8';

// Under load some objects of an exchange outlive two young collections, whatever they are made by. V8 then takes to making
// their like among the old objects from the start, for good: measured, a third more CPU a request and 60 MB more memory, in
// one start of four (bench/README.md).
setFlagsFromString('--no-allocation-site-pretenuring');

// A young collection looks at a few hundred KB. To share that among threads takes longer than to do it, most of all where they
// share a core: measured, pauses of 0.5 ms instead of 0.2, and up to 16 instead of 2.5.
setFlagsFromString('--no-parallel-scavenge');

// What runs once at the start is not worth optimising, and the optimising compilers take 9 MB as soon as they have run.
const compilers = ['opt', 'maglev'];
for (const one of compilers) setFlagsFromString(`--no-${one}`);

/** Code that runs often is optimised from now on. */
export function optimise(): void {
  for (const one of compilers) setFlagsFromString(`--${one}`);
}
