import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escape } from '../../../src/conformance/case-file.ts';
import { Random } from '../../support/random.ts';
import { readChunksByGrammar } from './grammar.ts';
import { answered, Lanes, refused } from './lanes.ts';
import { decodeChunks, type Decoded } from './parse.ts';
import { seed } from './seed.ts';

/** What may stand where CRLF should: the terminators of smugchunks ("funky chunks"), and the right one. */
const terminators = ['\r\n', '\n', '\r', '\rX', '\r\r', '', 'XX'];
const extensions = ['', ';', ';a', ';a=b', ';a="b c"', ' ;a', ';\ta', '\t', ' ', ';a\x00', ';a\x7f', ';\xff'];
/** The bytes of text, one character each. */
const utf8 = (text: string) => Buffer.from(text).toString('latin1');
const sizes = [
  '5',
  '05',
  '0000000000005',
  '00000000000005',
  '+5',
  '-5',
  ' 5',
  '5_',
  '0x5',
  '5h',
  '',
  '4',
  '6',
  '15',
  'a',
  'A',
  'g',
  '5.',
  utf8('٥'),
];

function* bodies(): Generator<string> {
  for (const first of terminators) {
    for (const afterData of terminators) {
      for (const last of terminators) {
        for (const end of terminators) {
          yield `5${first}hello${afterData}0${last}${end}`;
          // A chunk that holds what looks like the end, and one that looks like a size.
          yield `2;${first}XX\r\n10${afterData}1f\r\nAAAABBBBCCCC\r\n0${last}${end}DDDDEEEEFFFF\r\n0\r\n\r\n`;
          yield `5\r\nhello${first}0${afterData}X: y${last}${end}`;
          yield `5;a${first}b\r\nhello${afterData}0;${last}c\r\n${end}`;
        }
      }
    }
  }
  for (const size of sizes) {
    for (const extension of extensions) {
      for (const terminator of terminators) {
        yield `${size}${extension}${terminator}hello\r\n0\r\n\r\n`;
        yield `5\r\nhello\r\n${size}${extension}${terminator}\r\n`;
        yield `5\r\nhello\r\n0${extension}${terminator}\r\n`;
        yield `${size}${terminator}${extension}\r\nhello\r\n0\r\n\r\n`;
        yield `5\r\nhello${size}${terminator}${extension}0\r\n\r\n`;
      }
    }
  }
  for (let code = 0; code < 256; code++) {
    const byte = String.fromCharCode(code);
    for (const text of ['5\r\nhello\r\n0\r\n\r\n', '5;a=b\r\nhello\r\n0;c\r\nX: y\r\n\r\n']) {
      for (let at = 0; at < text.length; at++) {
        yield text.slice(0, at) + byte + text.slice(at);
        yield text.slice(0, at) + byte + text.slice(at + 1);
      }
    }
  }
}

const all = [...new Set(bodies())];
const decode = (text: string) => decodeChunks([Buffer.from(text, 'latin1')]);

/** Ends for every state that a decoder can be in: within a size, data, the CRLF behind data, an extension, trailers. */
function completionsOf(text: string): string[] {
  const ends = ['0\r\n\r\n', '\n0\r\n\r\n', '\r\n0\r\n\r\n', '\r\n\r\n', '\n\r\n', '\r\n', '\n', ': y\r\n\r\n'];
  for (const size of text.matchAll(/([0-9a-f]+)[^\r\n]*\r\n/gi)) {
    const missing = Number.parseInt(size[1]!, 16) - (text.length - size.index - size[0].length);
    if (missing >= 0 && missing < 100_000) ends.push(`${'Z'.repeat(missing)}\r\n0\r\n\r\n`);
  }
  return ends;
}

describe('a chunked body that is not quite one', () => {
  it('is read as the grammar says, whatever stands where CRLF should', () => {
    const wrong: string[] = [];
    for (const text of all) {
      const wanted = readChunksByGrammar(text);
      const decoded = decode(text);
      const same =
        wanted === undefined
          ? decoded.end === undefined
          : decoded.fault === undefined &&
            decoded.body === wanted.body &&
            decoded.end?.rest === wanted.rest &&
            decoded.end.trailers.length === 2 * wanted.trailers;
      if (!same) wrong.push(`${JSON.stringify(decoded)} of ${escape(text)}`);
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(all.length).toBeGreaterThan(20_000);
  });

  it('is refused at once when nothing can complete it', () => {
    // Sizes of several digits more are waited for, rightly.
    const stuck = all.filter((text) => {
      const { end, fault } = decode(text);
      if (end !== undefined || fault !== undefined || /[0-9a-f]{6}\r\n/i.test(text)) return false;
      return !completionsOf(text).some((more) => decode(text + more).end !== undefined);
    });
    expect(stuck.map(escape)).toEqual([]);
  });

  it('means the same in whatever pieces it arrives', () => {
    const random = new Random(seed);
    const wrong: string[] = [];
    for (const text of random.sample(all, 4000)) {
      const bytes = Buffer.from(text, 'latin1');
      const whole = kindOf(decodeChunks([bytes]));
      const single = [...bytes].map((byte) => Buffer.from([byte]));
      for (const pieces of [single, random.split(bytes), random.split(bytes)]) {
        const split = kindOf(decodeChunks(pieces));
        if (split !== whole) wrong.push(`${split} instead of ${whole}: ${pieces.map(escape).join(' | ')}`);
      }
    }
    expect(wrong.slice(0, 10), `seed ${seed}`).toEqual([]);
  });

  describe('through a running Portico', () => {
    let lanes: Lanes;
    beforeAll(async () => void (lanes = await Lanes.open(6)));
    afterAll(() => lanes?.close());

    it('reaches the app as it was meant, or never whole', async () => {
      const random = new Random(seed);
      const [good, bad] = [
        all.filter((text) => decode(text).end !== undefined),
        all.filter((text) => decode(text).end === undefined),
      ];
      const sample = [...random.sample(good, 100), ...random.sample(bad, 250)];
      const messages = sample.map((text) =>
        Buffer.from(`POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n${text}`, 'latin1'),
      );
      const observed = await lanes.observeAll(messages, (index) => {
        const { end, fault } = decode(sample[index]!);
        if (fault !== undefined) return refused;
        return end === undefined ? undefined : answered;
      });
      const wrong = sample.flatMap((text, index) => {
        const seen = observed[index]!;
        const { body, end, fault } = decode(text);
        const whole = seen.requests
          .filter(({ complete }) => complete)
          .map((request) => request.body.toString('latin1'));
        let why = lanes.wrongAtTheApp(seen);
        if (end === undefined && whole.length > 0) why ??= `the app saw ${JSON.stringify(whole)}`;
        if (
          end === undefined &&
          !(fault === undefined ? /^(408 \w+, closed|open)$/ : /^4\d\d \w+, closed$/).test(seen.client)
        )
          why ??= `the client saw ${seen.client}`;
        if (end !== undefined && (whole.length !== 1 || whole[0] !== body))
          why ??= `the app saw ${JSON.stringify(whole)}`;
        if (end !== undefined && !seen.client.startsWith('200')) why ??= `the client saw ${seen.client}`;
        return why === undefined ? [] : [`${why}: ${escape(text)}`];
      });
      expect(wrong, `seed ${seed}`).toEqual([]);
    }, 60_000);
  });
});

/** The details of a fault depend on how much has come; whether there is one must not. */
function kindOf({ body, end, fault }: Decoded): string {
  if (fault !== undefined) return 'refused';
  return end === undefined ? `unfinished after ${JSON.stringify(body)}` : JSON.stringify({ body, end });
}
