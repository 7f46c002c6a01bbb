const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Deepest nesting accepted: claims are shallow, and stack depth is an attacker's favourite. */
const deepest = 32;

/**
 * An object from JSON text, or undefined if the text is anything else, is not UTF-8, starts with a byte order mark, nests
 * deeper than 32 levels, has more than `mostMembers` members, or repeats a member of an object: parsers disagree about
 * which of two counts (RFC 7515 §4, RFC 7519 §4, RFC 7493 §2.3).
 */
export function parseStrictJson(bytes: Uint8Array, mostMembers = 1000): Record<string, unknown> | undefined {
  try {
    const text = utf8.decode(bytes);
    // The scan comes first: what passes it is cheap to parse, whatever names the members have.
    if (!isTame(text, mostMembers)) return undefined;
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Looks at strings and brackets only; whether the rest is JSON, `JSON.parse` says. @throws SyntaxError on a bad escape in a name */
function isTame(text: string, mostMembers: number): boolean {
  /** For each open bracket the member names seen so far; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let members = 0;
  let nameNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        const end = endOfString(text, at);
        if (nameNext) {
          const raw = text.slice(at, end + 1);
          // `"\u0065xp"` is `exp` too.
          const name = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
          const names = open[open.length - 1];
          if (names === undefined || names.has(name) || ++members > mostMembers) return false;
          names.add(name);
          nameNext = false;
        }
        at = end;
        break;
      }
      case 0x7b: // {
        if (open.push(new Set()) > deepest) return false;
        nameNext = true;
        break;
      case 0x5b: // [
        if (open.push(undefined) > deepest) return false;
        nameNext = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        nameNext = false;
        break;
      case 0x2c: // ,
        nameNext = open[open.length - 1] !== undefined;
        break;
    }
  }
  return true;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return text.length;
}
