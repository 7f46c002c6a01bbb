import { readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { judge, line, logWriter } from '../../support/log-writer.ts';
import { logFolder, oneOfTwoArrived, startShipping, until, type ShippingTest } from '../../support/logs.ts';

/** What logrotate does with a file: from FROM to TO.gz. */
function compress(from: string, to: string): void {
  writeFileSync(`${to}.gz`, gzipSync(readFileSync(from)));
  unlinkSync(from);
}

/** Ships some of a file and stops, with so many lines acknowledged of those that it has shipped. */
async function shippedBefore(folder: string, { lines, acknowledged }: { lines: number; acknowledged: number }) {
  const first = await startShipping({ folder, holds: true });
  await until(() => expect(first.outlet.records).toHaveLength(lines));
  first.outlet.acknowledge(first.outlet.records.slice(0, acknowledged));
  await first.shipping.stop();
  return first.outlet.texts.slice(0, acknowledged);
}

const lost = async ({ metric }: ShippingTest) => ({
  bytes: (await metric('portico_logs_lost_bytes_total{input="app"}')) ?? 0,
  files: (await metric('portico_logs_lost_files_total{input="app"}')) ?? 0,
  vanished: (await metric('portico_logs_vanished_files_total{input="app"}')) ?? 0,
});

test('rotated and compressed while nobody read: the rest is read from the compressed file', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  writer.write(100);
  const had = await shippedBefore(folder, { lines: 100, acknowledged: 40 });
  writer.write(50_000);
  writer.rotate(join(folder, 'app.log.1'), 10);
  compress(join(folder, 'app.log.1'), join(folder, 'app.log.1'));
  writer.write(100);
  // One of another time, which begins otherwise.
  writeFileSync(join(folder, 'app.log.2.gz'), gzipSync('another\n'));
  const second = await startShipping({ folder });
  await until(() => expect(had.length + second.outlet.records.length).toBe(writer.written));
  expect(judge([...had, ...second.outlet.texts], writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  expect(await lost(second)).toEqual({ bytes: 0, files: 0, vanished: 0 });
  // It is let go of when it was read to its end, and not read again.
  await until(() => expect(second.shipping.show().map(({ path }) => path)).toEqual([join(folder, 'app.log')]));
  await second.shipping.drain();
  const third = await startShipping({ folder });
  await third.shipping.drain();
  expect(third.outlet.records).toEqual([]);
  expect(await lost(third)).toEqual({ bytes: 0, files: 0, vanished: 0 });
});

test('records of a compressed file have the ids that they would have had', async () => {
  const { folder, path, first } = await oneOfTwoArrived();
  compress(path, join(folder, 'app.log-20261125'));
  const second = await startShipping({ folder });
  await second.ships(['two']);
  const place = ({ source, start, end }: (typeof first.outlet.records)[0]) => [source.key, start, end];
  expect(place(second.outlet.records[0]!)).toEqual(place(first.outlet.records[1]!));
});

test('a restart in the middle of a compressed file goes on where it was, also when it has another name by then', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  writer.write(100);
  const had = await shippedBefore(folder, { lines: 100, acknowledged: 40 });
  writer.write(9900);
  writer.rotate(join(folder, 'app.log.1'));
  compress(join(folder, 'app.log.1'), join(folder, 'app.log.1'));
  const second = await startShipping({ folder, holds: true, capacity: 5000 });
  await until(() => expect(second.outlet.records).toHaveLength(5000));
  second.outlet.acknowledge(second.outlet.records.slice(0, 3000));
  had.push(...second.outlet.texts.slice(0, 3000));
  await second.shipping.stop();
  renameSync(join(folder, 'app.log.1.gz'), join(folder, 'app.log.2.gz'));
  const third = await startShipping({ folder });
  await until(() => expect(had.length + third.outlet.records.length).toBe(writer.written));
  expect(judge([...had, ...third.outlet.texts], writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
});

test('the inode of a file that was compressed is another file by now: both are read', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  for (let round = 0; round < 10; round++) {
    writeFileSync(path, `first of ${round}\nsecond\n`);
    const first = await startShipping({ folder, holds: true });
    await first.ships([`first of ${round}`, 'second']);
    first.outlet.acknowledge([first.outlet.records[0]!]);
    await first.shipping.stop();
    const text = readFileSync(path);
    // The next file in the folder often gets the inode.
    unlinkSync(path);
    writeFileSync(path, `after ${round}\n`);
    writeFileSync(`${path}.${round}.gz`, gzipSync(text));
    const second = await startShipping({ folder });
    await until(() => expect([...second.outlet.texts].sort()).toEqual([`after ${round}`, 'second']));
    await second.shipping.drain();
    unlinkSync(path);
  }
});

test('of two compressed files that begin alike none is read, and the loss is counted', async () => {
  const { folder, path } = await oneOfTwoArrived();
  const text = readFileSync(path);
  rmSync(path);
  for (const number of [1, 2]) writeFileSync(`${path}.${number}.gz`, gzipSync(text));
  const second = await startShipping({ folder });
  expect(await lost(second)).toEqual({ bytes: 4, files: 1, vanished: 0 });
  await second.shipping.drain();
  expect(second.outlet.records).toEqual([]);
});

test('a damaged compressed file is read to the damage, and the loss is counted and logged', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, line(0));
  await shippedBefore(folder, { lines: 1, acknowledged: 1 });
  const text = Array.from({ length: 20_000 }, (_, at) => line(at)).join('');
  const whole = gzipSync(text);
  rmSync(path);
  writeFileSync(`${path}.1.gz`, whole.subarray(0, whole.length - 2000));
  const second = await startShipping({ folder });
  await until(async () => expect(await lost(second)).toMatchObject({ files: 1 }));
  await until(() => expect(second.shipping.show()).toEqual([]));
  const shipped = second.outlet.texts;
  expect(shipped.length).toBeGreaterThan(1000);
  expect(shipped.slice(0, -1)).toEqual(Array.from({ length: shipped.length - 1 }, (_, at) => line(at + 1).trimEnd()));
  expect(second.logged.filter(({ message }) => message.includes('damaged'))).toHaveLength(1);
});

test('a file that was read and is gone at the next start: nobody knows what was written to it, and that is counted', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'one\n');
  const first = await startShipping({ folder });
  await first.ships(['one']);
  await first.shipping.drain();
  rmSync(path);
  const second = await startShipping({ folder });
  expect(await lost(second)).toEqual({ bytes: 0, files: 0, vanished: 1 });
  expect(second.logged.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { path } }]);
  await second.shipping.drain();
  // Once.
  expect(await lost(await startShipping({ folder }))).toEqual({ bytes: 0, files: 0, vanished: 0 });
});
