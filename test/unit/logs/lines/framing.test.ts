import { expect, test } from 'vitest';
import {
  createFraming,
  LineSplitter,
  type Framing,
  type FramingOptions,
  type Line,
} from '../../../../src/logs/lines/index.ts';
import { parseCriLine } from '../../../../src/logs/lines/cri-framing.ts';

const multiline = { timeout: 1000, maxLines: 100, maxBytes: 10_000 };
const stamp = '2016-10-06T00:17:09.669794202Z';

test.each<{ what: string; options: Partial<FramingOptions>; text: string; records: readonly Partial<Line>[] }>([
  {
    what: 'joins what follows a line that begins a record',
    options: { multiline: { ...multiline, start: /^\d{4}-/ } },
    text: '2024-01 error\n  at a\n\n  at b\n2024-02 fine\n',
    records: [
      { text: '2024-01 error\n  at a\n\n  at b', start: 0, end: 29 },
      { text: '2024-02 fine', start: 29, end: 42 },
    ],
  },
  {
    what: 'joins lines that belong to the one before',
    options: { multiline: { ...multiline, continuation: /^(?:\s|Caused by)/ } },
    text: 'one\n at a\nCaused by x\ntwo\nthree\n',
    records: [{ text: 'one\n at a\nCaused by x' }, { text: 'two' }, { text: 'three' }],
  },
  {
    what: 'keeps lines that belong to nothing',
    options: { multiline: { ...multiline, start: /^\d{4}-/ } },
    text: ' at a\n at b\n2024-01 x\n',
    records: [{ text: ' at a\n at b' }, { text: '2024-01 x' }],
  },
  {
    what: 'makes several records of too many lines',
    options: { multiline: { ...multiline, maxLines: 2, continuation: /^ / } },
    text: 'one\n 2\n 3\n 4\n 5\nsix\n',
    records: [{ text: 'one\n 2' }, { text: ' 3\n 4' }, { text: ' 5' }, { text: 'six' }],
  },
  {
    what: 'makes several records of too many bytes',
    options: { multiline: { ...multiline, maxBytes: 10, continuation: /^ / } },
    text: 'one\n 23\n 456\n 7\n',
    records: [{ text: 'one\n 23' }, { text: ' 456\n 7' }],
  },
  {
    what: 'takes time and stream off what a container runtime has written',
    options: { format: 'cri' },
    text: `${stamp} stdout F one\n${stamp} stderr F two\n${stamp} stdout F \n`,
    records: [
      { text: 'one', cri: { time: stamp, stream: 'stdout' } },
      { text: 'two', cri: { time: stamp, stream: 'stderr' } },
      { text: '', cri: { time: stamp, stream: 'stdout' } },
    ],
  },
  {
    what: 'joins the parts of a line, whatever the other stream says meanwhile',
    options: { format: 'cri' },
    text: `${stamp} stdout P one \n${stamp} stderr F other\n${stamp} stdout P two \n${stamp} stdout F three\n`,
    records: [
      { text: 'other', start: 45 },
      { text: 'one two three', start: 0 },
    ],
  },
  {
    what: 'joins parts and then lines',
    options: { format: 'cri', multiline: { ...multiline, continuation: /^ / } },
    text: `${stamp} stdout F one\n${stamp} stdout P  a\n${stamp} stdout F t b\n${stamp} stdout F two\n`,
    records: [{ text: 'one\n at b' }, { text: 'two' }],
  },
  {
    what: 'lets other lines pass as they are',
    options: { format: 'cri' },
    text: `no format\n${stamp} stdin F x\n${stamp} stdout X x\n`,
    records: [{ text: 'no format', cri: undefined }, { text: `${stamp} stdin F x` }, { text: `${stamp} stdout X x` }],
  },
  {
    what: 'bounds what is joined of parts',
    options: { format: 'cri', maxLineBytes: 300 },
    text: `${stamp} stdout P ${'x'.repeat(200)}\n${stamp} stdout P ${'y'.repeat(200)}\n${stamp} stdout F ${'z'.repeat(200)}\n`,
    records: [{ text: 'x'.repeat(200) + 'y'.repeat(100), cut: 300 }],
  },
])('$what', ({ options, text, records }) => {
  const framing = make(options);
  const made = frame(framing, Buffer.from(text));
  expect(made).toMatchObject(records);
  expect(made).toHaveLength(records.length);
  expect(framing.pendingStart).toBe(Infinity);
});

test('a character that a container runtime has cut in two is one again', () => {
  const [before, after] = [Buffer.from('a€b').subarray(0, 2), Buffer.from('a€b').subarray(2)];
  const bytes = Buffer.concat([
    Buffer.from(`${stamp} stdout P `),
    before,
    Buffer.from(`\n${stamp} stdout F `),
    after,
    Buffer.from('\n'),
  ]);
  expect(frame(make({ format: 'cri' }), bytes)).toMatchObject([{ text: 'a€b', escaped: false }]);
});

test('what is bad stays escaped when parts are joined', () => {
  const bytes = Buffer.concat([
    Buffer.from(`${stamp} stdout P a`),
    Buffer.from([0xff]),
    Buffer.from(`\n${stamp} stdout F `),
    Buffer.from([0x82]),
    Buffer.from('\n'),
  ]);
  expect(frame(make({ format: 'cri' }), bytes)).toMatchObject([{ text: 'a\\xff\\x82', escaped: true }]);
});

test('a record is complete when no line has come for long', () => {
  const framing = make({ multiline: { ...multiline, start: /^one/ } });
  const line: Line = { start: 0, end: 4, text: 'one', escaped: false, cut: 0, cri: undefined };
  expect(framing.push(line, 5000)).toBeUndefined();
  expect(framing.pendingStart).toBe(0);
  expect(framing.take(5999)).toBeUndefined();
  expect(framing.take(6000)).toEqual(line);
  expect(framing.pendingStart).toBe(Infinity);
});

test('parts whose rest does not come are given out', () => {
  const framing = make({ format: 'cri', partialTimeout: 2000 });
  const text = `${stamp} stdout P half`;
  framing.push({ start: 10, end: 60, text, escaped: false, cut: 0, cri: undefined }, 1000);
  expect(framing.pendingStart).toBe(10);
  expect(framing.take(2999)).toBeUndefined();
  expect(framing.take(3000)).toMatchObject({ text: 'half', start: 10, end: 60 });
});

test.each([
  [`${stamp} stdout P:x text`, { partial: true, text: 'text' }],
  [`${stamp} stderr F`, { partial: false, text: '' }],
  ['2016-10-06T00:17:09+02:00 stderr F two  spaces', { partial: false, text: 'two  spaces' }],
  [`${stamp} stdout FF text`, undefined],
  [`${stamp}  stdout F text`, undefined],
  ['', undefined],
])('%j as a container runtime would write it', (text, expected) => {
  if (expected === undefined) expect(parseCriLine(text)).toBeUndefined();
  else expect(parseCriLine(text)).toMatchObject(expected);
});

function make(options: Partial<FramingOptions>): Framing {
  return createFraming({
    format: 'lines',
    multiline: undefined,
    maxLineBytes: 1000,
    partialTimeout: 1000,
    ...options,
  })!;
}

function frame(framing: Framing, bytes: Buffer): Line[] {
  const splitter = new LineSplitter({ maxLineBytes: 1000, offset: 0 });
  const records: Line[] = [];
  splitter.load(bytes);
  for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
    const record = framing.push(line, 0);
    if (record !== undefined) records.push(record);
  }
  for (let record = framing.take(Infinity); record !== undefined; record = framing.take(Infinity)) records.push(record);
  return records;
}
