import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escape } from '../../../src/conformance/case-file.ts';
import { isWireFault } from '../../../src/http1/index.ts';
import { Random } from '../../support/random.ts';
import { readByGrammar, readChunksByGrammar } from './grammar.ts';
import { answered, Lanes, refused } from './lanes.ts';
import { parseHead } from './parse.ts';
import { seed } from './seed.ts';

const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
/** Those that smuggling tools try (defparam/smuggler). */
const smugglers = ['\x01', '\x04', '\x08', '\t', '\n', '\x0b', '\x0c', '\r', '\x1f', ' ', '\x7f', '\xa0', '\xff'];
const body = '1\r\nZ\r\n0\r\n\r\n';

/** Where smuggling tools put their bytes. */
const places: readonly ((byte: string, name: string, value: string) => string)[] = [
  (byte, name, value) => `${name}:${byte}${value}`,
  (byte, name, value) => `${name}${byte}: ${value}`,
  (byte, name, value) => `${byte}${name}: ${value}`,
  (byte, name, value) => `${name}: ${value}${byte}`,
  (byte, name, value) => `${name}: ${byte}${value}${byte}`,
  (byte, name, value) => `${name}${byte}:${byte}${value}`,
  (byte, name, value) => `X: X${byte}${name}: ${value}`,
  (byte, name, value) => `${name}: ${value}${byte}X: X`,
  (byte, name, value) => `X: X\r${byte}${name}: ${value}`,
  (byte, name, value) => `X: X${byte}\n${name}: ${value}`,
  (byte, name, value) => `${name}: ${value}\r${byte}X: X`,
  (byte, name, value) => `${name}: ${value}${byte}\nX: X`,
  (byte, name, value) => `${name}\r\n${byte}: ${value}`,
  (byte, name, value) => `${name}:\r\n${byte}${value}`,
];

/** The lines of one field with a byte more, or another byte, at every place. */
function* singles(name: string, value: string): Generator<string> {
  const line = `${name}: ${value}`;
  for (const byte of bytes) {
    for (const place of places) yield place(byte, name, value);
    for (let at = 0; at <= line.length; at++) {
      yield line.slice(0, at) + byte + line.slice(at);
      if (at < line.length) yield line.slice(0, at) + byte + line.slice(at + 1);
    }
  }
}

/** Two bytes at two places. */
function* doubles(name: string, value: string): Generator<string> {
  for (const first of smugglers) {
    for (const second of smugglers) {
      yield `${first}${name}${second}: ${value}`;
      yield `${first}${name}:${second}${value}`;
      yield `${first}${name}: ${value}${second}`;
      yield `${name}${first}:${second}${value}`;
      yield `${name}${first}: ${value}${second}`;
      yield `${name}:${first}${value}${second}`;
      yield `${name}:${first}${second}${value}`;
      yield `${name}: ${value}${first}${second}`;
      yield `${name}: ${value}\r\n${first}${second}${name}: ${value}`;
    }
  }
}

/** The bytes of text, one character each. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

/** Values that are nearly right. */
const values = {
  'Transfer-Encoding': [
    'xchunked',
    'chunkedx',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'chunked;a=b',
    'chunked, identity',
    'identity',
    'gzip, chunked',
    '"chunked"',
    utf8('chun\u212aed'),
    'CHUNKED',
    'chunKed',
    'cow',
    '',
  ],
  'Content-Length': [
    '+1',
    '-1',
    '01',
    '0x1',
    '1.0',
    '1e0',
    '1,1',
    '1 1',
    '1;',
    '"1"',
    utf8('٣'),
    '',
    '9007199254740991',
    '9007199254740992',
    '18446744073709551617',
    '1_0',
  ],
} as const;

/** Such a value alone, before and behind the right one; and the right one twice. */
function* nearlyRight(name: keyof typeof values, value: string): Generator<string> {
  yield `${name}: ${value}\r\n${name}: ${value}`;
  for (const one of values[name]) {
    yield `${name}: ${one}`;
    yield `${name}: ${one}\r\n${name}: ${value}`;
    yield `${name}: ${value}\r\n${name}: ${one}`;
  }
}

function* heads(): Generator<string> {
  const request = (line: string) => `POST / HTTP/1.1\r\nHost: t\r\n${line}\r\n\r\n${body}`;
  for (const [name, value, other] of [
    ['Transfer-Encoding', 'chunked', 'Content-Length: 11'],
    ['Content-Length', '11', 'Transfer-Encoding: chunked'],
  ] as const) {
    for (const lines of [singles(name, value), doubles(name, value), nearlyRight(name, value)]) {
      for (const line of lines) {
        yield request(line);
        yield request(`${line}\r\n${other}`);
        yield request(`${other}\r\n${line}`);
      }
    }
  }
}

function disagreement(text: string): string | undefined {
  const wanted = readByGrammar(text);
  const parsed = parseHead([Buffer.from(text, 'latin1')]);
  const refused = parsed !== undefined && isWireFault(parsed);
  if (wanted.kind !== 'accepted') return refused ? undefined : 'accepted';
  if (parsed === undefined || isWireFault(parsed)) return `refused: ${parsed?.details}`;
  const { chunked, contentLength } = parsed.head.fields;
  const framing = chunked ? 'chunked' : (contentLength ?? 'none');
  return framing === wanted.framing ? undefined : `framed by ${framing} instead of ${wanted.framing}`;
}

describe('a framing field that is not quite one', () => {
  it('is read as the grammar says, whatever byte stands wherever', () => {
    const wrong: string[] = [];
    let count = 0;
    for (const text of heads()) {
      count++;
      const why = disagreement(text);
      if (why !== undefined) wrong.push(`${why}: ${escape(text)}`);
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(count).toBeGreaterThan(80_000);
  });

  it('is refused with the bytes of smugglers, except for spaces and tabs around the value', () => {
    const accepted = new Set<string>();
    for (const byte of smugglers) {
      for (const place of places) {
        const line = place(byte, 'Transfer-Encoding', 'chunked');
        const parsed = parseHead([Buffer.from(`POST / HTTP/1.1\r\nHost: t\r\n${line}\r\n\r\n${body}`, 'latin1')]);
        if (parsed !== undefined && !isWireFault(parsed)) accepted.add(line);
      }
    }
    const around = [' ', '\t'].flatMap((space) => [
      `Transfer-Encoding:${space}chunked`,
      `Transfer-Encoding: chunked${space}`,
      `Transfer-Encoding: ${space}chunked${space}`,
    ]);
    // Here it is no field but a part of the value of another.
    const within = [' ', '\t', '\xa0', '\xff'].map((byte) => `X: X${byte}Transfer-Encoding: chunked`);
    // And here the byte completes a CRLF, so that there are two honest fields.
    const separate = ['X: X\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nX: X'];
    expect(accepted).toEqual(new Set([...around, ...within, ...separate]));
  });

  describe('through a running Portico', () => {
    let lanes: Lanes;
    beforeAll(async () => void (lanes = await Lanes.open(6)));
    afterAll(() => lanes?.close());

    it('reaches the app as one request with its own framing, or not at all', async () => {
      const random = new Random(seed);
      const all = [...heads()];
      // Most are refused; those that are not must be in the sample too.
      const [good, bad] = [
        all.filter((text) => readByGrammar(text).kind === 'accepted'),
        all.filter((text) => readByGrammar(text).kind !== 'accepted'),
      ];
      const sample = [...random.sample(good, 150), ...random.sample(bad, 250)];
      const observed = await lanes.observeAll(
        sample.map((text) => Buffer.from(text, 'latin1')),
        (index) => {
          const wanted = readByGrammar(sample[index]!);
          if (wanted.kind !== 'accepted') return refused;
          const { framing, rest } = wanted;
          return typeof framing === 'number' && framing > rest.length ? undefined : answered;
        },
      );
      const wrong = sample.flatMap((text, index) => {
        const seen = observed[index]!;
        const why =
          lanes.wrongAtTheApp(seen) ??
          wrongOutcome(
            text,
            seen.client,
            seen.requests.map((request) => request.body.toString('latin1')),
          );
        return why === undefined ? [] : [`${why}: ${escape(text)}`];
      });
      expect(wrong, `seed ${seed}`).toEqual([]);
    }, 60_000);
  });
});

/** @param bodies of the requests that the app saw */
function wrongOutcome(text: string, client: string, bodies: readonly string[]): string | undefined {
  const wanted = readByGrammar(text);
  if (wanted.kind !== 'accepted') {
    if (bodies.length > 0) return `the app saw ${bodies.length} requests`;
    return /^4\d\d \w+, closed$/.test(client) ? undefined : `the client saw ${client}`;
  }
  const { framing, rest } = wanted;
  if (typeof framing === 'number' && framing > rest.length)
    return bodies.length === 1 ? undefined : `the app saw ${bodies.length} requests`;
  const content =
    framing === 'none' ? '' : framing === 'chunked' ? readChunksByGrammar(rest)!.body : rest.slice(0, framing);
  if (bodies.length !== 1 || bodies[0] !== content) return `the app saw ${JSON.stringify(bodies)}`;
  return client.startsWith('200') ? undefined : `the client saw ${client}`;
}
