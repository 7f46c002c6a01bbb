import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One case of a `cases/*.txt` file; its README says how the files are written. */
export interface WireCase {
  readonly id: string;
  readonly title: string;
  /** Heading of the file it is in. */
  readonly group: string;
  /** Fields by name: `source`, `wanted`, `client`, `app` … */
  readonly fields: ReadonlyMap<string, string>;
  readonly bytes: Buffer;
  /** The lines of bytes as they are written; in the `h2-` files each is a frame. */
  readonly lines: readonly string[];
}

const ownCases = fileURLToPath(new URL('cases', import.meta.url));

/** The cases of the files whose names begin with `prefix`: `h1-` are requests, `responses` are answers of an app. */
export function readCases(prefix: string, folder = ownCases): WireCase[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith(prefix) && file.endsWith('.txt'))
    .sort()
    .flatMap((file) => parseCases(readFileSync(join(folder, file), 'utf8'), file));
}

export function parseCases(text: string, file: string): WireCase[] {
  const [heading, ...blocks] = text.split(/^## /m);
  const group = heading!.replace(/^# /, '').trim();
  return blocks.map((block) => {
    const [first, ...lines] = block.split('\n');
    const [id, ...title] = first!.split(' ');
    const fields = new Map<string, string>();
    const written: string[] = [];
    for (const line of lines) {
      if (line.startsWith('> ')) written.push(line.slice(2));
      else if (line.trim() !== '' && !line.startsWith('#')) {
        const colon = line.indexOf(': ');
        if (colon < 0) throw new Error(`${file}: case ${id}: not a field or a byte line: ${line}`);
        fields.set(line.slice(0, colon), line.slice(colon + 2));
      }
    }
    return { id: id!, title: title.join(' '), group, fields, bytes: unescape(written.join('')), lines: written };
  });
}

/** `\r \n \t \\ \xHH`, and `\{COUNT:text}` for repetition; every other character is one byte. */
export function unescape(text: string): Buffer {
  const expanded = text.replace(/\\\{(\d+):((?:[^}\\]|\\.)*)\}/g, (_, count: string, unit: string) =>
    unit.repeat(Number(count)),
  );
  const plain = expanded.replace(
    /\\(?:x([0-9a-f]{2})|(.))/g,
    (_, hex: string | undefined, char: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return { r: '\r', n: '\n', t: '\t' }[char!] ?? char!;
    },
  );
  return Buffer.from(plain, 'latin1');
}

export function escape(bytes: Buffer | string): string {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
  return text
    .replace(/\\/g, '\\\\')
    .replace(/\r/g, '\\r')
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
    .replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
