import { compileSafeRegex, compiled } from '../../options/index.ts';
import { atomsOf, disjoint } from './atoms.ts';

/** Longest text, in UTF-16 units, that a pattern is run on: with two ambiguous repetitions that is some ten million steps at worst. */
export const longestMatched = 4096;

const mostAmbiguous = 2;

/** As an option. */
export function linePattern() {
  return compiled('must be a regular expression', 'regex', compileLinePattern);
}

/**
 * A pattern for whole log lines, which are text from anywhere. Beyond what {@link compileSafeRegex} refuses, at most two
 * repetitions may be followed by something that they themselves could match, since each of them multiplies the time by the length.
 * @throws Error whose message says what is wrong with the pattern
 */
export function compileLinePattern(pattern: string): RegExp {
  const compiled = compileSafeRegex(pattern);
  const atoms = atomsOf(pattern);
  let ambiguous = 0;
  atoms.forEach((atom, index) => {
    if (atom.most <= 16) return;
    const next = atoms[index + 1];
    // The last one is followed by the end of the text.
    if (next === undefined) return;
    if (!atom.followed || next.least === 0 || !disjoint(atom, next)) ambiguous++;
  });
  if (ambiguous > mostAmbiguous) {
    throw new Error(
      `could take very long: ${ambiguous} repetitions are followed by what they could match themselves, at most ${mostAmbiguous} may; write [^ ]+ or \\S+ before a space in place of .*`,
    );
  }
  return compiled;
}
