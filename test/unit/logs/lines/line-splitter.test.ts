import { expect, test } from 'vitest';
import { LineSplitter, type Line } from '../../../../src/logs/lines/index.ts';
import { Random } from '../../../support/random.ts';

interface Case {
  readonly what: string;
  readonly bytes: Buffer | string;
  readonly lines: readonly Partial<Line>[];
  /** What is given out when no more comes. */
  readonly partial?: Partial<Line>;
  readonly maxLineBytes?: number;
}

const cases: readonly Case[] = [
  {
    what: 'lines',
    bytes: 'one\ntwo\n',
    lines: [
      { text: 'one', start: 0, end: 4 },
      { text: 'two', start: 4, end: 8 },
    ],
  },
  {
    what: 'CR LF',
    bytes: 'one\r\ntwo\r\n',
    lines: [
      { text: 'one', end: 5 },
      { text: 'two', start: 5, end: 10 },
    ],
  },
  { what: 'CR within a line', bytes: 'a\rb\n', lines: [{ text: 'a\rb' }] },
  {
    what: 'empty lines',
    bytes: '\n\r\n\n',
    lines: [
      { text: '', end: 1 },
      { text: '', end: 3 },
      { text: '', end: 4 },
    ],
  },
  {
    what: 'a last line without an end',
    bytes: 'one\ntw',
    lines: [{ text: 'one' }],
    partial: { text: 'tw', start: 4, end: 6 },
  },
  { what: 'NUL bytes within a line', bytes: 'a\0b\n\0c\n', lines: [{ text: 'a\0b' }, { text: '\0c' }] },
  {
    what: 'a hole at the beginning',
    bytes: '\0\0\0one\ntwo\n',
    lines: [{ text: 'one', start: 3, end: 7 }, { text: 'two' }],
  },
  { what: 'characters of 2, 3 and 4 bytes', bytes: 'ä€😀\n', lines: [{ text: 'ä€😀', escaped: false, end: 10 }] },
  {
    what: 'a byte order mark',
    bytes: '\ufeffone\n\ufefftwo\n',
    lines: [{ text: 'one', start: 0, end: 7 }, { text: '\ufefftwo' }],
  },
  {
    what: 'bytes that are not UTF-8',
    bytes: Buffer.from('61ff62c30ae282200a66696e650a', 'hex'),
    lines: [
      { text: 'a\\xffb\\xc3', escaped: true },
      { text: '\\xe2\\x82 ', escaped: true },
      { text: 'fine', escaped: false },
    ],
  },
  {
    what: 'overlong forms, surrogates and what is beyond Unicode',
    bytes: Buffer.from('c0800aeda0800af490808000c1bf0a', 'hex'),
    lines: [
      { text: '\\xc0\\x80', escaped: true },
      { text: '\\xed\\xa0\\x80', escaped: true },
      { text: '\\xf4\\x90\\x80\\x80\0\\xc1\\xbf', escaped: true },
    ],
  },
  {
    what: 'a line that is too long',
    bytes: `${'x'.repeat(25)}\nnext\n`,
    maxLineBytes: 10,
    lines: [
      { text: 'x'.repeat(10), cut: 15, start: 0, end: 26 },
      { text: 'next', cut: 0, start: 26 },
    ],
  },
  {
    what: 'a line of just the length',
    bytes: `${'x'.repeat(10)}\r\n`,
    maxLineBytes: 10,
    lines: [{ text: 'x'.repeat(10), cut: 0 }],
  },
  {
    what: 'a character at the cut',
    bytes: `${'x'.repeat(9)}€€\n`,
    maxLineBytes: 10,
    lines: [{ text: 'x'.repeat(9), cut: 6, escaped: false }],
  },
];

const cuts: readonly { how: string; cut(bytes: Buffer): Buffer[] }[] = [
  { how: 'in one piece', cut: (bytes) => [bytes] },
  { how: 'byte by byte', cut: (bytes) => [...bytes].map((byte) => Buffer.from([byte])) },
  ...[1, 2, 3, 4, 5].map((seed) => ({
    how: `in random pieces ${seed}`,
    cut: (bytes: Buffer) => new Random(seed).split(bytes),
  })),
];

for (const { how, cut } of cuts) {
  test.each(cases)(`reads $what, ${how}`, ({ bytes, lines, partial, maxLineBytes = 1000 }) => {
    const splitter = new LineSplitter({ maxLineBytes, offset: 0 });
    const read = readAll(splitter, cut(Buffer.from(bytes)));
    expect(read).toMatchObject(lines);
    expect(read).toHaveLength(lines.length);
    const rest = splitter.takePartial();
    if (partial === undefined) expect(rest).toBeUndefined();
    else expect(rest).toMatchObject(partial);
  });
}

test('keeps no more of a line than may be shipped', () => {
  const splitter = new LineSplitter({ maxLineBytes: 64 * 1024, offset: 0 });
  const piece = Buffer.alloc(256 * 1024, 'x');
  for (let count = 0; count < 40; count++) {
    splitter.load(piece);
    expect(splitter.next()).toBeUndefined();
    expect(splitter.keptBytes).toBeLessThanOrEqual(64 * 1024);
  }
  splitter.load(Buffer.from('\nnext\n'));
  expect(splitter.next()).toMatchObject({ cut: 40 * 256 * 1024 - 64 * 1024, start: 0, end: 40 * 256 * 1024 + 1 });
  expect(splitter.next()).toMatchObject({ text: 'next', cut: 0 });
  expect(splitter.keptBytes).toBe(0);
});

test('does not invent an empty line when only the end of a line comes that was given out', () => {
  const splitter = new LineSplitter({ maxLineBytes: 100, offset: 0 });
  expect(readAll(splitter, [Buffer.from('wait')])).toEqual([]);
  expect(splitter.takePartial()).toMatchObject({ text: 'wait', start: 0, end: 4 });
  expect(readAll(splitter, [Buffer.from('\nnext\n')])).toMatchObject([{ text: 'next', start: 5, end: 10 }]);
  expect(splitter.position).toBe(10);
});

test('gives the rest of a line that was given out as a line of its own', () => {
  const splitter = new LineSplitter({ maxLineBytes: 100, offset: 0 });
  readAll(splitter, [Buffer.from('wait')]);
  splitter.takePartial();
  expect(readAll(splitter, [Buffer.from(' for it\n')])).toMatchObject([{ text: ' for it', start: 4, end: 12 }]);
});

test('begins in the middle of a file', () => {
  const splitter = new LineSplitter({ maxLineBytes: 100, offset: 500 });
  expect(readAll(splitter, [Buffer.from('\0one\n')])).toMatchObject([{ text: '\0one', start: 500, end: 505 }]);
});

function readAll(splitter: LineSplitter, pieces: readonly Buffer[]): Line[] {
  const lines: Line[] = [];
  for (const piece of pieces) {
    splitter.load(piece);
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line);
  }
  return lines;
}
