/** Entries of one file; Kubernetes allows 256 KiB of annotations in all. */
const mostEntries = 1000;

/**
 * Reads a file that the downward API of Kubernetes makes of labels or annotations: `key="value"` a line, the value quoted as
 * Go does it (strconv.Quote). Lines that are nothing of the kind are passed over.
 */
export function parseMetadata(text: string): Map<string, string> {
  const entries = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([^\s="]+)="((?:[^"\\]|\\.)*)"\s*$/.exec(line);
    if (match === null) continue;
    entries.set(match[1]!, unquote(match[2]!));
    if (entries.size >= mostEntries) break;
  }
  return entries;
}

const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A run of `\xNN` is bytes of UTF-8, which Go writes so when they are not valid by themselves. */
function unquote(quoted: string): string {
  return quoted.replace(
    /((?:\\x[0-9a-fA-F]{2})+)|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)/g,
    (_, bytes: string | undefined, short: string | undefined, long: string | undefined, one: string | undefined) => {
      if (bytes !== undefined) return Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString();
      const code = short ?? long;
      if (code !== undefined) {
        const point = Number.parseInt(code, 16);
        return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
      }
      return simple[one!] ?? one!;
    },
  );
}
