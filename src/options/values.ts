/**
 * The kinds of values that options take, each a valibot schema: the text a person writes goes in, what the code uses
 * comes out. Used by the config.ts of every room and by filters, so a duration is written the same everywhere.
 */
import { BlockList, isIP } from 'node:net';
import * as v from 'valibot';

const unitsOfTime: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Text such as `250ms`, `15s`, `10m`, `1h30m`; comes out in milliseconds. 0 means off where the option says so. */
export function duration() {
  return v.pipe(
    v.union([v.string(), v.literal(0)], 'must be a duration such as 250ms, 15s or 10m'),
    v.rawTransform<string | 0, number>(({ dataset, addIssue, NEVER }) => {
      const milliseconds = dataset.value === 0 ? 0 : parseDuration(dataset.value);
      if (milliseconds !== undefined) return milliseconds;
      addIssue({ message: `must be a duration such as 250ms, 15s or 10m, not ${JSON.stringify(dataset.value)}` });
      return NEVER;
    }),
    v.metadata({ format: 'duration' }),
  );
}

/** @param shown the least as a person writes it, such as `10ms` */
export function durationAtLeast(milliseconds: number, shown: string) {
  return v.pipe(duration(), v.minValue(milliseconds, `must be at least ${shown}`));
}

export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  let total = 0;
  let rest = text;
  do {
    const part = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)/.exec(rest);
    if (part === null) return undefined;
    total += Number(part[1]) * unitsOfTime[part[2]!]!;
    rest = rest.slice(part[0].length);
  } while (rest !== '');
  return total <= 400 * unitsOfTime['d']! ? total : undefined;
}

/** Milliseconds as a person would write them: 1500 → `1500ms`, 60000 → `1m`. */
export function showDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = unitsOfTime[unit]!;
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}

const unitsOfSize: Record<string, number> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** A number of bytes, or text such as `64KiB`, `10MiB`; comes out in bytes. */
export function byteSize() {
  return v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.integer(), v.minValue(0))], 'must be a size such as 64KiB or 10MiB'),
    v.rawTransform<string | number, number>(({ dataset, addIssue, NEVER }) => {
      if (typeof dataset.value === 'number') return dataset.value;
      const match = /^(\d{1,12}(?:\.\d{1,3})?) ?(B|KiB|MiB|GiB|kB|MB|GB|)$/.exec(dataset.value);
      if (match !== null) return Math.floor(Number(match[1]) * unitsOfSize[match[2]!]!);
      addIssue({ message: `must be a size such as 64KiB or 10MiB, not ${JSON.stringify(dataset.value)}` });
      return NEVER;
    }),
    v.metadata({ format: 'size' }),
  );
}

/** A host with port, or a unix socket. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `unix:/run/app.sock`. */
export function address() {
  return v.pipe(
    v.string('must be an address such as 127.0.0.1:8080, [::1]:8080 or unix:/run/app.sock'),
    v.rawTransform<string, Address>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseAddress(dataset.value);
      if (parsed !== undefined) return parsed;
      addIssue({
        message: `must be an address such as 127.0.0.1:8080, [::1]:8080 or unix:/run/app.sock, not ${JSON.stringify(dataset.value)}`,
      });
      return NEVER;
    }),
    v.metadata({ format: 'address' }),
  );
}

export function parseAddress(text: string): Address | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path === '' || path.includes('\0') ? undefined : { kind: 'unix', path };
  }
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2]!;
  const port = Number(match[3]);
  if (port > 65535 || (match[1] !== undefined && isIP(host) !== 6)) return undefined;
  return { kind: 'tcp', host, port };
}

export function showAddress(at: Address): string {
  if (at.kind === 'unix') return `unix:${at.path}`;
  return at.host.includes(':') ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`;
}

/** A network such as `10.0.0.0/8` or `fd00::/8`, or one address; comes out as a test of an address's text. */
export type Cidr = { readonly text: string; readonly contains: (ip: string) => boolean };

export function cidr() {
  return v.pipe(
    v.string('must be a network such as 10.0.0.0/8 or fd00::/8'),
    v.rawTransform<string, Cidr>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseCidr(dataset.value);
      if (parsed !== undefined) return parsed;
      addIssue({ message: `must be a network such as 10.0.0.0/8 or fd00::/8, not ${JSON.stringify(dataset.value)}` });
      return NEVER;
    }),
    v.metadata({ format: 'cidr' }),
  );
}

export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const ip = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(ip);
  if (family === 0) return undefined;
  const most = family === 4 ? 32 : 128;
  const prefix = slash < 0 ? String(most) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > most) return undefined;
  const list = new BlockList();
  list.addSubnet(ip, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return {
    text,
    contains(candidate) {
      const kind = isIP(candidate);
      return kind !== 0 && list.check(candidate, kind === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

/** A name that shows up in metrics and logs: letters, digits, `_`, `-`, `.`; at most 64 characters. */
export function name() {
  return v.pipe(
    v.string('must be a name'),
    v.regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'must be a name of letters, digits, _, - and ., at most 64 characters'),
  );
}

/** An HTTP field name; comes out in lower case. */
export function headerName() {
  return v.pipe(
    v.string('must be a header name'),
    v.regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'must be a header name: letters, digits and -'),
    v.toLowerCase(),
  );
}

/** An integer within bounds. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER) {
  const message =
    most === Number.MAX_SAFE_INTEGER
      ? `must be an integer of at least ${least}`
      : `must be an integer from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

/** Attaches the sentence that the reference documentation and editors show. */
export function doc<const S extends v.GenericSchema>(sentence: string, schema: S) {
  return v.pipe(schema, v.description(sentence));
}
