import { compileSafeRegex } from '../../options/index.ts';

/** Finds what is to be redacted: a global expression, and a second look at what it found. */
export interface Pattern {
  readonly expression: RegExp;
  readonly isIt: (found: string) => boolean;
  /** What every text has in which it can be found, if there is such a thing: a quick no for all others. */
  readonly hint: string | undefined;
  /** A long text is searched in pieces: nothing bounds how often the expression looks at a character. */
  readonly piecemeal?: boolean;
}

const always = () => true;

/** Each repetition is bounded or cannot overlap with what follows, so that none takes more than linear time. */
const named: Readonly<Record<string, Pattern>> = {
  email: {
    expression: /[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/g,
    isIt: always,
    hint: '@',
  },
  ipv4: {
    expression: /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)/g,
    isIt: always,
    hint: '.',
  },
  credit_card: { expression: /(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g, isIt: passesLuhn, hint: undefined },
  bearer: { expression: /(?<=\b[Bb]earer )[A-Za-z0-9._~+/=-]{8,4096}/g, isIt: always, hint: 'earer ' },
  jwt: {
    expression: /\beyJ[A-Za-z0-9_-]{4,4096}\.[A-Za-z0-9_-]{4,8192}\.[A-Za-z0-9_-]{0,4096}/g,
    isIt: always,
    hint: 'eyJ',
  },
  aws_key: { expression: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, isIt: always, hint: 'A' },
};

export const patternNames: readonly string[] = Object.keys(named);

/** @throws Error whose message says what is wrong with it */
export function compilePattern(text: string): Pattern {
  const known = named[text];
  if (known !== undefined) return known;
  if (/^\w+$/.test(text)) throw new Error(`must be one of ${patternNames.join(', ')}, or a regular expression`);
  // It is refused for the same reasons as those that match a whole text.
  compileSafeRegex(text);
  const expression = new RegExp(text, 'gv');
  if (expression.test('')) throw new Error('must not match the empty text');
  expression.lastIndex = 0;
  return { expression, isIt: always, hint: undefined, piecemeal: true };
}

/** ISO/IEC 7812-1, annex B: the last digit of a card number is a check. */
export function passesLuhn(text: string): boolean {
  let sum = 0;
  let double = false;
  for (let at = text.length - 1; at >= 0; at--) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) continue;
    const value = double ? digit * 2 : digit;
    sum += value > 9 ? value - 9 : value;
    double = !double;
  }
  return sum % 10 === 0;
}
