import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judge, logWriter } from '../../support/log-writer.ts';
import { logFolder, oneOfTwoArrived, startShipping, until } from '../../support/logs.ts';

test('rename and create, while lines are written, also late ones to the old file', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  const { outlet, shipping, metric } = await startShipping({ folder });
  for (let round = 0; round < 10; round++) {
    for (let burst = 0; burst < 10; burst++) {
      writer.write(50);
      await pause(10);
    }
    writer.rotate(join(folder, `app.log.${round}`), 20);
  }
  writer.write(5);
  await until(() => expect(outlet.records.length).toBeGreaterThanOrEqual(writer.written));
  expect(judge(outlet.texts, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  expect(await metric('portico_logs_rotations_total{input="app"}')).toBe(10);
  // Rotated files that nobody asks for are let go of after a while.
  await until(() => expect(shipping.show()).toHaveLength(1));
  await shipping.drain();
});

test('rotated files that the patterns match are not shipped again', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  const options = { folder, input: { paths: ['app.log*'] } };
  const { outlet, shipping } = await startShipping(options);
  for (let round = 0; round < 3; round++) {
    writer.write(100);
    await pause(100);
    writer.rotate(join(folder, `app.log.${round}`), 10);
    await pause(100);
  }
  await until(() => expect(outlet.records).toHaveLength(writer.written));
  await until(() => expect(shipping.show().map(({ state }) => state)).toEqual(['live', 'live', 'live', 'live']));
  await shipping.drain();
  const again = await startShipping(options);
  writer.write(1);
  await until(() => expect(again.outlet.records).toHaveLength(1));
  expect(judge([...outlet.texts, ...again.outlet.texts], writer.written)).toEqual({
    missing: [],
    repeated: 0,
    foreign: [],
  });
});

test.each([
  { how: 'a writer that appends', append: true },
  { how: 'a writer that goes on at its old offset, and so leaves a hole', append: false },
])('copy and truncate, with $how', async ({ append }) => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'), { append });
  const { outlet, metric } = await startShipping({ folder });
  for (let round = 0; round < 3; round++) {
    writer.write(100);
    // What is written between the last read and the truncation is lost, whoever reads; here there is nothing.
    await until(() => expect(outlet.records).toHaveLength(writer.written));
    writer.copyTruncate(join(folder, `app.log.${round}`));
  }
  writer.write(100);
  await until(() => expect(outlet.records).toHaveLength(writer.written));
  expect(judge(outlet.texts, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  expect(await metric('portico_logs_lost_bytes_total{input="app"}')).toBe(0);
});

test('records before and after a truncation never have the same name, even when their files begin alike', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'begin\none\n');
  const { ships, outlet, shipping } = await startShipping({ folder });
  await ships(['begin', 'one']);
  truncateSync(path, 0);
  await until(() => expect(shipping.show()[0]).toMatchObject({ offset: 0 }));
  appendFileSync(path, 'begin\ntwo\n');
  await ships(['begin', 'one', 'begin', 'two']);
  const names = outlet.records.map(({ source, start }) => `${source.key} ${start}`);
  expect(new Set(names).size).toBe(4);
  expect(statSync(path).size).toBe(10);
});

test('truncated and longer again before anybody looks', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'old 1\nold 2\n');
  const { ships } = await startShipping({ folder });
  await ships(['old 1', 'old 2']);
  writeFileSync(path, 'new 1\nnew 2\nnew 3\nnew 4\n');
  await ships(['old 1', 'old 2', 'new 1', 'new 2', 'new 3', 'new 4']);
});

test('truncated and of just the length it had, before anybody looks', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'old 1\nold 2\n');
  const { ships } = await startShipping({ folder });
  await ships(['old 1', 'old 2']);
  writeFileSync(path, 'new 1\nnew 2\n');
  await ships(['old 1', 'old 2', 'new 1', 'new 2']);
});

test('truncated and of just the length it had, within one tick of the clock of the file system', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  // A time that is not over yet: nobody can tell from it whether more has changed since.
  const tick = new Date(Date.now() + 3_600_000);
  writeFileSync(path, 'old 1\nold 2\n');
  utimesSync(path, tick, tick);
  const { ships } = await startShipping({ folder });
  await ships(['old 1', 'old 2']);
  writeFileSync(path, 'new 1\nnew 2\n');
  utimesSync(path, tick, tick);
  await ships(['old 1', 'old 2', 'new 1', 'new 2']);
});

test('what was truncated before it was read is counted as lost', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, `${'x'.repeat(99)}\n`.repeat(10_000));
  const { outlet, metric, logged } = await startShipping({ folder, holds: true, capacity: 10 });
  await until(() => expect(outlet.records).toHaveLength(10));
  writeFileSync(path, 'new\n');
  outlet.capacity = Infinity;
  outlet.release();
  await until(() => expect(outlet.texts.at(-1)).toBe('new'));
  expect(await metric('portico_logs_lost_bytes_total{input="app"}')).toBe(1_000_000 - 256 * 1024);
  expect(logged.find(({ level }) => level === 'error')).toMatchObject({
    message: 'a file was truncated before all of it was read',
    fields: { path, lost_bytes: 1_000_000 - 256 * 1024 },
  });
});

test('a deleted file is read to its end', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, `${'x'.repeat(999)}\n`.repeat(1000) + 'last');
  const { outlet, shipping } = await startShipping({ folder, holds: true, capacity: 10 });
  await until(() => expect(outlet.records).toHaveLength(10));
  unlinkSync(path);
  await until(() => expect(shipping.show()[0]).toMatchObject({ state: 'deleted' }));
  outlet.capacity = Infinity;
  outlet.release();
  await until(() => expect(outlet.records).toHaveLength(1001));
  expect(outlet.texts.at(-1)).toBe('last');
  await until(() => expect(shipping.show()).toEqual([]));
});

test('rotated and compressed before it was read to its end: it is read from its descriptor', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  writer.write(5000);
  const { outlet, shipping } = await startShipping({
    folder,
    input: { paths: ['app.log*'] },
    holds: true,
    capacity: 10,
  });
  await until(() => expect(outlet.records).toHaveLength(10));
  writer.rotate(join(folder, 'app.log.1'));
  writeFileSync(join(folder, 'app.log.1.gz'), 'stands for it, compressed');
  rmSync(join(folder, 'app.log.1'));
  writer.write(100);
  outlet.capacity = Infinity;
  outlet.release();
  await until(() => expect(outlet.records).toHaveLength(writer.written));
  expect(judge(outlet.texts, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  await shipping.drain();
});

test('rotated twice while nobody read: the old file is found where it is now', async () => {
  const folder = logFolder();
  const writer = logWriter(join(folder, 'app.log'));
  writer.write(100);
  const first = await startShipping({ folder, holds: true });
  await until(() => expect(first.outlet.records).toHaveLength(100));
  first.outlet.acknowledge(first.outlet.records.slice(0, 40));
  await first.shipping.stop();
  writer.write(100);
  writer.rotate(join(folder, 'app.log.1'));
  writer.write(100);
  renameSync(join(folder, 'app.log.1'), join(folder, 'app.log.2'));
  writer.rotate(join(folder, 'app.log.1'));
  writer.write(100);
  const second = await startShipping({ folder, input: { paths: ['app.log', 'app.log.1'] } });
  await until(() => expect(second.outlet.records).toHaveLength(360));
  expect(judge([...first.outlet.texts.slice(0, 40), ...second.outlet.texts], 400)).toEqual({
    missing: [],
    repeated: 0,
    foreign: [],
  });
});

test('gone while nobody read: what is known to be lost is counted, once', async () => {
  const { folder, path } = await oneOfTwoArrived();
  unlinkSync(path);
  const second = await startShipping({ folder });
  await until(async () => expect(await second.metric('portico_logs_lost_bytes_total{input="app"}')).toBe(4));
  expect(await second.metric('portico_logs_lost_files_total{input="app"}')).toBe(1);
  await second.shipping.stop();
  const third = await startShipping({ folder });
  expect((await third.metric('portico_logs_lost_bytes_total{input="app"}')) ?? 0).toBe(0);
});

test('another file in the place of one that is gone, even with its inode, is read from its beginning', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  for (let round = 0; round < 20; round++) {
    writeFileSync(path, `first\nround ${round}\n`);
    const { ships, shipping } = await startShipping({ folder });
    await ships(['first', `round ${round}`]);
    await shipping.drain();
    unlinkSync(path);
  }
});

test('a file that comes back under its old name goes on', async () => {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'one\n');
  const { ships, shipping } = await startShipping({ folder, input: { rotate_wait: '10s' } });
  await ships(['one']);
  mkdirSync(join(folder, 'aside'));
  renameSync(path, join(folder, 'aside/x'));
  await until(() => expect(shipping.show()[0]).toMatchObject({ state: 'rotated' }));
  appendFileSync(join(folder, 'aside/x'), 'two\n');
  await ships(['one', 'two']);
  renameSync(join(folder, 'aside/x'), path);
  appendFileSync(path, 'three\n');
  await ships(['one', 'two', 'three']);
  await until(() => expect(shipping.show()[0]).toMatchObject({ state: 'live' }));
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n');
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
