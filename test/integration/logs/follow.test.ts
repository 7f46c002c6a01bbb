import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { logFolder, startShipping, textOf, until } from '../../support/logs.ts';

test('ships what is there, what is added, and files that appear', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'one\ntwo\n');
  const { ships } = await startShipping({ folder });
  await ships(['one', 'two']);
  appendFileSync(join(folder, 'a.log'), 'three\n');
  await ships(['one', 'two', 'three']);
  writeFileSync(join(folder, 'b.log'), 'four\n');
  await ships(['one', 'two', 'three', 'four']);
  writeFileSync(join(folder, 'c.txt'), 'not asked for\n');
  appendFileSync(join(folder, 'b.log'), 'five\n');
  await ships(['one', 'two', 'three', 'four', 'five']);
});

test('goes on after a restart where it was, and ships nothing twice', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'one\ntwo\n');
  const first = await startShipping({ folder });
  await first.ships(['one', 'two']);
  expect(await first.shipping.drain()).toEqual({ files: 0, bytes: 0 });
  appendFileSync(join(folder, 'a.log'), 'three\n');
  const second = await startShipping({ folder });
  await second.ships(['three']);
  expect(second.outlet.records[0]!.source.key).toBe(first.outlet.records[0]!.source.key);
});

test('ships again after a restart what was not acknowledged, with the same places', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'one\ntwo\nthree\n');
  const first = await startShipping({ folder, holds: true });
  await first.ships(['one', 'two', 'three']);
  first.outlet.acknowledge([first.outlet.records[0]!, first.outlet.records[2]!]);
  await first.shipping.stop();
  const second = await startShipping({ folder });
  await second.ships(['two', 'three']);
  const place = ({ source, start }: (typeof first.outlet.records)[0]) => [source.key, start];
  expect(second.outlet.records.map(place)).toEqual(first.outlet.records.slice(1).map(place));
});

test('read_from: end leaves out what is there at the very first start, and nothing later', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'old\nold too\nbegun');
  const first = await startShipping({ folder, input: { read_from: 'end' } });
  appendFileSync(join(folder, 'a.log'), ' line\n');
  await first.ships(['begun line']);
  writeFileSync(join(folder, 'b.log'), 'new\n');
  await first.ships(['begun line', 'new']);
  await first.shipping.drain();
  appendFileSync(join(folder, 'a.log'), 'a\n');
  writeFileSync(join(folder, 'c.log'), 'c\n');
  const second = await startShipping({ folder, input: { read_from: 'end' } });
  await second.ships(['a', 'c']);
});

test('read_from: end is remembered even when nothing was shipped before a restart', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'old\n');
  const first = await startShipping({ folder, input: { read_from: 'end' } });
  await first.shipping.stop();
  appendFileSync(join(folder, 'a.log'), 'new\n');
  const second = await startShipping({ folder, input: { read_from: 'end' } });
  await second.ships(['new']);
});

test('a last line without an end waits for it, and is shipped when it does not come', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'one\ntw');
  const { ships, shipping } = await startShipping({ folder, input: { partial_line_timeout: '400ms' } });
  await ships(['one']);
  appendFileSync(join(folder, 'a.log'), 'o\nthr');
  await ships(['one', 'two']);
  await ships(['one', 'two', 'thr']);
  appendFileSync(join(folder, 'a.log'), 'ee\n');
  await ships(['one', 'two', 'thr', 'ee']);
  expect(await shipping.drain()).toEqual({ files: 0, bytes: 0 });
});

test('lines of all kinds come as they are, and long ones cut', async () => {
  const folder = logFolder();
  const long = 10 * 1024 * 1024;
  const parts = [
    Buffer.from('first\r\n\r\n'),
    Buffer.from('nul\0nul\n'),
    Buffer.from([0x62, 0xff, 0xfe, 0x0a]),
    Buffer.from('äöü€😀\n'.repeat(30_000)),
    Buffer.alloc(long, 'x'),
    Buffer.from('\nlast'),
  ];
  writeFileSync(join(folder, 'a.log'), Buffer.concat(parts));
  const { outlet, shipping, metric } = await startShipping({ folder });
  await shipping.drain();
  const { texts } = outlet;
  expect(texts.slice(0, 4)).toEqual(['first', '', 'nul\0nul', 'b\\xff\\xfe']);
  expect(outlet.records[3]!.fields['escaped']).toBe(true);
  const umlauts = outlet.records.slice(4, 30_004);
  expect(umlauts.every((record) => textOf(record) === 'äöü€😀' && record.fields['escaped'] === false)).toBe(true);
  expect(texts[30_004]).toBe('x'.repeat(1024 * 1024));
  expect(outlet.records[30_004]!.fields['cut']).toBe(long - 1024 * 1024);
  expect(texts.slice(30_005)).toEqual(['last']);
  expect(await metric('portico_logs_cut_bytes_total{input="app"}')).toBe(long - 1024 * 1024);
  const offsets = outlet.records.map(({ start, end }) => [start, end] as const);
  expect(offsets.every(([start], index) => start === (index === 0 ? 0 : offsets[index - 1]![1]))).toBe(true);
});

test('stack traces are one record, and the last one comes when nothing follows', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), '2024 error\n at a\n at b\n2024 fine\n');
  const { ships, shipping } = await startShipping({
    folder,
    input: { multiline: { start_pattern: '\\d{4} ', timeout: '300ms' } },
  });
  await ships(['2024 error\n at a\n at b', '2024 fine']);
  await until(() => expect(shipping.show()[0]).toMatchObject({ lag: 0 }));
});

test('a crash in the middle of what two streams say to each other loses neither', async () => {
  const folder = logFolder();
  const stamp = '2016-10-06T00:17:09.669794202Z';
  writeFileSync(join(folder, 'a.log'), `${stamp} stdout P one \n${stamp} stderr F other\n`);
  const first = await startShipping({ folder, input: { format: 'cri' } });
  await first.ships(['other']);
  await until(() => expect(first.shipping.show()[0]).toMatchObject({ acknowledged: 0, records_under_way: 0 }));
  await first.shipping.stop();
  appendFileSync(join(folder, 'a.log'), `${stamp} stdout F two\n`);
  const second = await startShipping({ folder, input: { format: 'cri' } });
  await second.ships(['other', 'one two']);
  expect(second.outlet.records[1]!.fields['cri']).toEqual({ time: stamp, stream: 'stdout' });
});

test('a thousand files, with few of them open, each in its order', async () => {
  const folder = logFolder();
  const count = 1000;
  for (let index = 0; index < count; index++) writeFileSync(join(folder, `${index}.log`), `${index} a\n`);
  const { outlet, shipping } = await startShipping({
    folder,
    config: { follow: { poll_interval: '50ms', max_open_files: 20 } },
  });
  await until(() => expect(outlet.records).toHaveLength(count));
  for (let index = 0; index < count; index++) appendFileSync(join(folder, `${index}.log`), `${index} b\n`);
  await until(() => expect(outlet.records).toHaveLength(2 * count));
  expect(shipping.files.openFiles).toBeLessThanOrEqual(20);
  const seen = new Map<string, string[]>();
  for (const text of outlet.texts) {
    const [index, letter] = text.split(' ') as [string, string];
    seen.set(index, [...(seen.get(index) ?? []), letter]);
  }
  expect(seen.size).toBe(count);
  expect([...seen.values()].every((letters) => letters.join('') === 'ab')).toBe(true);
}, 60_000);

test('a link that is swapped leads to the other file, and the first is read to its end', async () => {
  const folder = logFolder();
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data/1'), 'one\n');
  writeFileSync(join(folder, 'data/2'), 'two\n');
  symlinkSync('data/1', join(folder, 'a.log'));
  const { ships, outlet } = await startShipping({ folder });
  await ships(['one']);
  symlinkSync('data/2', join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, 'a.log'));
  appendFileSync(join(folder, 'data/1'), 'late\n');
  await until(() => expect([...outlet.texts].sort()).toEqual(['late', 'one', 'two']));
});

test('a folder that is removed and made again', async () => {
  const folder = logFolder();
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub/a.log'), 'one\n');
  const { ships, shipping } = await startShipping({ folder, input: { paths: ['sub/*.log'] } });
  await ships(['one']);
  rmSync(join(folder, 'sub'), { recursive: true });
  await until(() => expect(shipping.show()).toEqual([]));
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub/a.log'), 'two\n');
  await ships(['one', 'two']);
  appendFileSync(join(folder, 'sub/a.log'), 'three\n');
  await ships(['one', 'two', 'three']);
});

test('a full outlet stops the reading, and each file gets its turn', async () => {
  const folder = logFolder();
  const line = 'x'.repeat(999);
  writeFileSync(join(folder, 'a.log'), `${line}\n`.repeat(5000));
  writeFileSync(join(folder, 'b.log'), `${line}\n`.repeat(300));
  const { outlet, shipping } = await startShipping({ folder, holds: true, capacity: 100 });
  await until(() => expect(outlet.records).toHaveLength(100));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(outlet.records).toHaveLength(100);
  expect(Math.max(...shipping.show().map(({ offset }) => offset))).toBeLessThanOrEqual(256 * 1024);
  outlet.release();
  await until(() => expect(outlet.records).toHaveLength(5300));
  const lastOfB = outlet.records.findLastIndex(({ source }) => source.path.endsWith('b.log'));
  expect(lastOfB).toBeLessThan(1500);
});

test('what a rule drops is not shipped, and not read again', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'keep\ndrop\ndrop\n');
  const process = (raw: Parameters<typeof textOf>[0] & { text: string }) =>
    raw.text === 'drop' ? undefined : { ...raw, time: 0, nanos: 0, fields: { message: raw.text } };
  const { ships, shipping, metric } = await startShipping({ folder, process: process as never });
  await ships(['keep']);
  await until(() => expect(shipping.show()[0]).toMatchObject({ acknowledged: 15, lag: 0 }));
  expect(await metric('portico_logs_dropped_records_total')).toBe(2);
});

test('jumps of the clock change nothing', async () => {
  const folder = logFolder();
  writeFileSync(join(folder, 'a.log'), 'one\n');
  let offset = 0;
  const clock = { now: () => Date.now() + offset, monotonic: () => performance.now() };
  const { ships, shipping } = await startShipping({ folder, clock });
  await ships(['one']);
  for (const jump of [-86_400_000, 365 * 86_400_000, -3_600_000]) {
    offset += jump;
    appendFileSync(join(folder, 'a.log'), `${jump}\n`);
    await until(() => expect(shipping.show()[0]).toMatchObject({ lag: 0 }));
  }
  await ships(['one', '-86400000', '31536000000', '-3600000']);
  await shipping.drain();
  const second = await startShipping({ folder });
  appendFileSync(join(folder, 'a.log'), 'last\n');
  await second.ships(['last']);
});
