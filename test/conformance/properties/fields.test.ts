import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escape } from '../../../src/conformance/case-file.ts';
import { isWireFault } from '../../../src/http1/index.ts';
import { Random } from '../../support/random.ts';
import { readByGrammar } from './grammar.ts';
import { answered, Lanes, refused } from './lanes.ts';
import { parseHead } from './parse.ts';
import { seed } from './seed.ts';

const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const endings = [
  '\r\n',
  '\n',
  '\r',
  '\rX',
  '\r\r',
  '',
  'XX',
  '\n\r',
  '\r\r\n',
  '\r\n\n',
  ' \r\n',
  '\t\r\n',
  '\x0b',
  '\x0c\r\n',
  '\x85',
  '\r\n ',
];

/** Every line ended by everything. */
function* lineEndings(): Generator<string> {
  for (const one of endings) {
    for (const two of endings) {
      for (const three of endings) {
        for (const four of ['\r\n', '\n', '\r', '', '\n\n', '\r\r\n'])
          yield `GET / HTTP/1.1${one}Host: t${two}X-A: b${three}${four}`;
      }
    }
  }
}

/** Every byte at every place of a name and of a value. */
function* names(): Generator<string> {
  for (const byte of bytes) {
    for (const name of [byte, `${byte}X-A`, `X${byte}-A`, `X-A${byte}`, `X-${byte}${byte}A`])
      yield `GET / HTTP/1.1\r\nHost: t\r\n${name}: b\r\n\r\n`;
    yield `GET / HTTP/1.1\r\n${byte}Host: t\r\n\r\n`;
    yield `GET / HTTP/1.1\r\nHost${byte}: t\r\n\r\n`;
  }
}

function* values(): Generator<string> {
  for (const byte of bytes) {
    for (const value of [byte, `${byte}b`, `b${byte}c`, `b${byte}`, `b ${byte} c`, `${byte}${byte}`])
      yield `GET / HTTP/1.1\r\nHost: t\r\nX-A:${value}\r\nX-B: c\r\n\r\n`;
  }
}

/** Every byte at every place of a request line. */
function* requestLines(): Generator<string> {
  const line = 'GET /a HTTP/1.1';
  for (const byte of bytes) {
    for (let at = 0; at <= line.length; at++) {
      yield `${line.slice(0, at)}${byte}${line.slice(at)}\r\nHost: t\r\n\r\n`;
      if (at < line.length) yield `${line.slice(0, at)}${byte}${line.slice(at + 1)}\r\nHost: t\r\n\r\n`;
    }
  }
}

/** Fields of this connection, which the parser keeps for itself. */
const ofTheConnection = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'te',
  'keep-alive',
]);

function disagreement(text: string): string | undefined {
  const parsed = parseHead([Buffer.from(text, 'latin1')]);
  // An empty line in front of a request is skipped (RFC 9112 §2.2).
  const wanted = readByGrammar(text.startsWith('\r\n') ? text.slice(2) : text);
  if (wanted.kind !== 'accepted')
    return parsed !== undefined && !isWireFault(parsed)
      ? `accepted ${JSON.stringify(parsed.head.fields.flat)}`
      : undefined;
  if (parsed === undefined || isWireFault(parsed)) return `refused: ${parsed?.details}`;
  const read: string[] = parsed.head.fields.flat.map((word, index) => (index % 2 === 0 ? word.toLowerCase() : word));
  const expected = wanted.fields.filter(([name]) => !ofTheConnection.has(name)).flat();
  return JSON.stringify(read) === JSON.stringify(expected) ? undefined : `read as ${JSON.stringify(read)}`;
}

describe('lines, names and values', () => {
  it.each([
    ['lines ended by everything', lineEndings, 24_000],
    ['names with every byte', names, 1700],
    ['values with every byte', values, 1500],
    ['request lines with every byte', requestLines, 7900],
  ])('%s are read as the grammar says', (_, generate, least) => {
    const all = [...generate()];
    const wrong = all.flatMap((text) => {
      const why = disagreement(text);
      return why === undefined ? [] : [`${why}: ${escape(text)}`];
    });
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(all.length).toBeGreaterThan(least);
  });

  it('mean the same in whatever pieces they arrive', () => {
    const random = new Random(seed);
    const kindOf = (pieces: Buffer[]) => {
      const parsed = parseHead(pieces);
      if (parsed === undefined) return 'unfinished';
      return isWireFault(parsed) ? 'refused' : JSON.stringify([parsed.head, parsed.rest.toString('latin1')]);
    };
    const wrong: string[] = [];
    for (const text of random.sample([...lineEndings(), ...names(), ...values(), ...requestLines()], 6000)) {
      const all = Buffer.from(`${text}rest`, 'latin1');
      const whole = kindOf([all]);
      for (const pieces of [[...all].map((byte) => Buffer.from([byte])), random.split(all), random.split(all)]) {
        const split = kindOf(pieces);
        if (split !== whole) wrong.push(`${split} instead of ${whole}: ${pieces.map(escape).join(' | ')}`);
      }
    }
    expect(wrong.slice(0, 10), `seed ${seed}`).toEqual([]);
  });

  describe('through a running Portico', () => {
    let lanes: Lanes;
    beforeAll(async () => void (lanes = await Lanes.open(6)));
    afterAll(() => lanes?.close());

    it('reach the app byte for byte, or not at all', async () => {
      const random = new Random(seed);
      const sample = [
        ...random.sample(
          [...lineEndings()].filter((text) => readByGrammar(text).kind === 'refused'),
          150,
        ),
        ...random.sample([...names()], 120),
        ...random.sample([...values()], 200),
      ];
      const observed = await lanes.observeAll(
        sample.map((text) => Buffer.from(text, 'latin1')),
        (index) => (readByGrammar(sample[index]!).kind === 'accepted' ? answered : refused),
      );
      const wrong = sample.flatMap((text, index) => {
        const seen = observed[index]!;
        const wanted = readByGrammar(text);
        let why = lanes.wrongAtTheApp(seen);
        if (wanted.kind === 'accepted' && wanted.fields.some(([name, value]) => name === 'host' && value === 't')) {
          const [request, ...more] = seen.requests;
          const got = request?.fields.filter(([name]) => name === 'x-b' || /^x(?!-forwarded|-mark)/.test(name)) ?? [];
          const sent = wanted.fields.filter(([name]) => name === 'x-b' || name.startsWith('x'));
          if (request === undefined || more.length > 0) why ??= `the app saw ${seen.app}`;
          else if (JSON.stringify(got) !== JSON.stringify(sent)) why ??= `the app saw ${JSON.stringify(got)}`;
        } else if (seen.requests.length > 0) why ??= `the app saw ${seen.app}`;
        else if (!/^4\d\d \w+, closed$/.test(seen.client)) why ??= `the client saw ${seen.client}`;
        return why === undefined ? [] : [`${why}: ${escape(text)}`];
      });
      expect(wrong, `seed ${seed}`).toEqual([]);
    }, 60_000);
  });
});
