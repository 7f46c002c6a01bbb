/** A character, a class or the like in a pattern, with how often it may repeat. */
export interface Atom {
  readonly source: string;
  readonly least: number;
  /** Infinity for `*`, `+` and `{n,}`. */
  readonly most: number;
  /** Where alternatives begin or end right behind it, what follows is not known from here. */
  followed: boolean;
}

const quantifier = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y;
const atom =
  /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|c[A-Za-z]|k<[^>]*>|[^])|\[(?:\\[^]|[^\]\\])*\]|[^()|*+?]/y;

/** The atoms of a regular expression in their order, groups left out. The pattern must be one that compiles. */
export function atomsOf(pattern: string): readonly Atom[] {
  const atoms: Atom[] = [];
  for (let at = 0; at < pattern.length;) {
    const char = pattern[at]!;
    if (char === '(') {
      at += /^\((?:\?(?:[:=!]|<[=!]|<[^>]*>|[a-z-]*:))?/.exec(pattern.slice(at))![0].length;
      continue;
    }
    if (char === '|') {
      const before = atoms.at(-1);
      if (before !== undefined) before.followed = false;
      at++;
      continue;
    }
    let source: string | undefined;
    if (char === ')') {
      at++;
    } else {
      atom.lastIndex = at;
      source = atom.exec(pattern)?.[0] ?? char;
      at += source.length;
    }
    quantifier.lastIndex = at;
    const repeated = quantifier.exec(pattern);
    const [least, most] = repeated === null ? [1, 1] : boundsOf(repeated);
    at += repeated?.[0].length ?? 0;
    if (source !== undefined) {
      atoms.push({ source, least, most, followed: true });
    } else if (repeated !== null) {
      const before = atoms.at(-1);
      if (before !== undefined) before.followed = false;
    }
  }
  return atoms;
}

function boundsOf([, sign, least, comma, most]: RegExpExecArray): [least: number, most: number] {
  if (sign !== undefined) return sign === '?' ? [0, 1] : [sign === '*' ? 0 : 1, Infinity];
  if (comma === undefined) return [Number(least), Number(least)];
  return [Number(least), most === '' ? Infinity : Number(most)];
}

/** Characters of which classes are told apart: all of Latin, and one of some other kinds. */
const samples = [
  ...Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code)),
  ...['\u0430', '\u0410', '\u05d0', '\u0660', '\u2003', '\u2028', '\u20ac', '\u4e00', '\ufeff', '\ufffd', '\u{1f600}'],
];

/** Whether no character is both, so that where the one ends and the other begins is never a question. */
export function disjoint(a: Atom, b: Atom): boolean {
  try {
    const [first, second] = [new RegExp(`^(?:${a.source})$`, 'u'), new RegExp(`^(?:${b.source})$`, 'u')];
    return !samples.some((char) => first.test(char) && second.test(char));
  } catch {
    return false;
  }
}
