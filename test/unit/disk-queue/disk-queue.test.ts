import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DiskQueue, type DiskQueueConfig, type QueueFiles } from '../../../src/disk-queue/index.ts';
import { systemFiles } from '../../../src/disk-queue/queue-files.ts';
import { Random } from '../../support/random.ts';

const KiB = 1024;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'portico-queue-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Seen {
  dropped: number;
  damaged: number;
  torn: number;
  failed: string[];
  full: number;
  foreign: string[];
}

async function open(path: string, config: Partial<DiskQueueConfig> = {}, files?: QueueFiles) {
  const seen: Seen = { dropped: 0, damaged: 0, torn: 0, failed: [], full: 0, foreign: [] };
  const queue = await DiskQueue.open(
    { path, max_bytes: 64 * KiB, when_full: 'drop_oldest', sync_interval: 0, ...config },
    {
      dropped: (records) => (seen.dropped += records),
      damaged: (records) => (seen.damaged += records),
      torn: (bytes) => (seen.torn += bytes),
      failed: (error) => seen.failed.push(error.code ?? error.message),
      full: () => seen.full++,
      foreign: (names) => seen.foreign.push(...names),
    },
    files,
  );
  onTestFinished(() => queue.close());
  return { queue, seen };
}

async function readAll(queue: DiskQueue): Promise<string[]> {
  const texts: string[] = [];
  for (let record; (record = await queue.next()) !== undefined;) texts.push(record.bytes.toString());
  return texts;
}

/** A record that takes `size` bytes on the disk and begins with its number. */
const record = (number: number, size: number) => Buffer.from(`${number}`.padEnd(size - 16, '.'));
const numbers = (texts: readonly string[]) => texts.map((text) => parseInt(text));
/** One of the things that happen to files. */
function damaged(bytes: Buffer, at: number, random: Random): Buffer {
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(4)) {
    case 0:
      return Buffer.concat([before, after.map((byte, index) => (index === 0 ? byte ^ (1 << random.below(8)) : byte))]);
    case 1:
      return before;
    case 2:
      return Buffer.concat([before, after.map((byte, index) => (index < 100 ? 0 : byte))]);
    default:
      return Buffer.concat([before, Buffer.alloc(30, random.below(256)), after]);
  }
}

const queueFiles = (path: string) => readdirSync(path).filter((name) => name.endsWith('.queue'));
const onDisk = (path: string) => queueFiles(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('a disk queue', () => {
  it('gives records back in their order, each once', async () => {
    const { queue } = await open(folder());
    expect(await Promise.all(['a', '', 'c'].map((text) => queue.append(Buffer.from(text))))).toEqual([
      'stored',
      'stored',
      'stored',
    ]);
    expect(await queue.next()).toEqual({ sequence: 1, bytes: Buffer.from('a') });
    expect(await readAll(queue)).toEqual(['', 'c']);
    expect(await queue.next()).toBeUndefined();
    expect(queue.depth.records).toBe(3);
  });

  it('gives what is not acknowledged again after a restart, and goes on counting', async () => {
    const path = folder();
    const { queue: before } = await open(path);
    for (const text of ['a', 'b', 'c']) await before.append(Buffer.from(text));
    before.acknowledge((await before.next())!.sequence);
    await before.close();
    const { queue: after } = await open(path);
    expect(after.depth.records).toBe(2);
    await after.append(Buffer.from('d'));
    expect(await readAll(after)).toEqual(['b', 'c', 'd']);
    after.acknowledge(4);
    await after.close();
    const { queue: last } = await open(path);
    expect(last.depth).toEqual({ records: 0, bytes: 0, files: 0, since: undefined });
    await last.append(Buffer.from('e'));
    expect(await last.next()).toEqual({ sequence: 5, bytes: Buffer.from('e') });
  });

  it('reads again from the first record that is not acknowledged when told to', async () => {
    const { queue } = await open(folder());
    for (const text of ['a', 'b', 'c']) await queue.append(Buffer.from(text));
    await readAll(queue);
    queue.acknowledge(1);
    queue.rewind();
    expect(await readAll(queue)).toEqual(['b', 'c']);
  });

  it('wakes whoever waits for a record', async () => {
    const { queue } = await open(folder());
    const arrival = queue.arrival();
    await queue.append(Buffer.from('a'));
    await arrival;
    expect(await readAll(queue)).toEqual(['a']);
  });

  it('deletes files of which all is acknowledged', async () => {
    const path = folder();
    const { queue } = await open(path);
    for (const number of range(1, 20)) await queue.append(record(number, 2 * KiB));
    expect(queueFiles(path)).toHaveLength(10);
    queue.acknowledge(19);
    await queue.close();
    expect(queueFiles(path)).toHaveLength(1);
  });

  it('gives up the oldest records when it is full, counts them, and stays within its bytes', async () => {
    const path = folder();
    const { queue, seen } = await open(path);
    for (const number of range(1, 50)) {
      expect(await queue.append(record(number, 2 * KiB))).toBe('stored');
      expect(onDisk(path)).toBeLessThanOrEqual(64 * KiB);
    }
    const kept = numbers(await readAll(queue));
    expect(kept).toEqual(range(51 - kept.length, 50));
    expect(kept.length).toBeGreaterThanOrEqual(30);
    expect(seen.dropped).toBe(50 - kept.length);
  });

  it('goes on reading behind what was given up meanwhile', async () => {
    const { queue, seen } = await open(folder());
    for (const number of range(1, 32)) await queue.append(record(number, 2 * KiB));
    expect(numbers([(await queue.next())!.bytes.toString()])).toEqual([1]);
    for (const number of range(33, 40)) await queue.append(record(number, 2 * KiB));
    // The first one was read: whoever has it delivers it.
    expect(numbers(await readAll(queue))).toEqual(range(seen.dropped + 2, 40));
  });

  it('does not count as dropped what was acknowledged', async () => {
    const { queue, seen } = await open(folder());
    for (const number of range(1, 16)) await queue.append(record(number, 2 * KiB));
    queue.acknowledge(16);
    for (const number of range(17, 40)) await queue.append(record(number, 2 * KiB));
    expect(seen.dropped).toBe(0);
  });

  it('makes the writer wait when it is full and told to block', async () => {
    const { queue, seen } = await open(folder(), { when_full: 'block' });
    for (const number of range(1, 32)) await queue.append(record(number, 2 * KiB));
    let stored = false;
    const waiting = queue.append(record(33, 2 * KiB)).then(() => (stored = true));
    expect(numbers(await readAll(queue))).toEqual(range(1, 32));
    expect(stored).toBe(false);
    queue.acknowledge(2);
    await waiting;
    queue.acknowledge(33);
    for (const number of range(34, 64)) await queue.append(record(number, 2 * KiB));
    expect(numbers(await readAll(queue))).toEqual(range(33, 64));
    expect(seen.dropped).toBe(0);
  });

  it('says that it is full, and that those who append wait, for as long as they do', async () => {
    const { queue, seen } = await open(folder(), { when_full: 'block' });
    for (const number of range(1, 32)) await queue.append(record(number, 2 * KiB));
    expect([queue.blocked, seen.full]).toEqual([false, 0]);
    const waiting = queue.append(record(33, 2 * KiB));
    await vi.waitFor(() => expect(queue.blocked).toBe(true));
    queue.acknowledge(1);
    queue.acknowledge(2);
    await waiting;
    expect([queue.blocked, seen.full]).toEqual([false, 1]);
  });

  it('knows since when its oldest record may be there', async () => {
    const path = folder();
    const before = Date.now();
    const { queue } = await open(path);
    expect(queue.depth.since).toBeUndefined();
    await queue.append(Buffer.from('a'));
    // The clock of a file system goes in ticks.
    expect(queue.depth.since).toBeGreaterThan(before - 1000);
    expect(queue.depth.since).toBeLessThan(Date.now() + 1000);
    const { since } = queue.depth;
    await queue.close();
    const { queue: after } = await open(path);
    expect(after.depth).toMatchObject({ records: 1, since });
    after.acknowledge(1);
    expect(after.depth.since).toBeUndefined();
  });

  it('tells a writer that waits when it is closed', async () => {
    const { queue } = await open(folder(), { when_full: 'block' });
    for (const number of range(1, 32)) await queue.append(record(number, 2 * KiB));
    const waiting = queue.append(record(33, 2 * KiB));
    await queue.close();
    expect(await waiting).toBe('closed');
    expect(await queue.append(record(34, 2 * KiB))).toBe('closed');
  });

  it('refuses a record that is larger than a quarter of it', async () => {
    const { queue } = await open(folder());
    expect(await queue.append(Buffer.alloc(16 * KiB - 16))).toBe('stored');
    expect(await queue.append(Buffer.alloc(16 * KiB - 15))).toBe('too_large');
  });

  it('takes what was written after a pause, too', async () => {
    const path = folder();
    const { queue } = await open(path, { sync_interval: 10 });
    for (const number of range(1, 5)) expect(await queue.append(record(number, 100))).toBe('stored');
    await queue.close();
    const { queue: after } = await open(path);
    expect(numbers(await readAll(after))).toEqual(range(1, 5));
  });
});

describe('a disk queue after a crash', () => {
  const threeRecords = async () => {
    const path = folder();
    const { queue } = await open(path);
    for (const text of ['one', 'two', 'three']) await queue.append(Buffer.from(text));
    await queue.close();
    return { path, file: join(path, queueFiles(path)[0]!) };
  };

  it.each<[what: string, damage: (bytes: Buffer) => Buffer, kept: string[]]>([
    ['a head that is cut off', (bytes) => bytes.subarray(0, 16 + 3 + 16 + 3 + 5), ['one', 'two']],
    ['a payload that is cut off', (bytes) => bytes.subarray(0, bytes.length - 1), ['one', 'two']],
    ['zeros where a record was', (bytes) => Buffer.from(bytes).fill(0, 38), ['one', 'two']],
    ['zeros behind the last record', (bytes) => Buffer.concat([bytes, Buffer.alloc(100)]), ['one', 'two', 'three']],
    [
      'garbage behind the last record',
      (bytes) => Buffer.concat([bytes, Buffer.alloc(40, 0xff)]),
      ['one', 'two', 'three'],
    ],
    ['a flipped bit', (bytes) => Buffer.from(bytes).fill('X', bytes.length - 2, bytes.length - 1), ['one', 'two']],
    ['nothing but a cut head', (bytes) => bytes.subarray(0, 7), []],
  ])('cuts off %s', async (_what, damage, kept) => {
    const { path, file } = await threeRecords();
    writeFileSync(file, damage(readFileSync(file)));
    const { queue, seen } = await open(path);
    expect(seen.torn).toBeGreaterThan(0);
    await queue.append(Buffer.from('next'));
    expect(await readAll(queue)).toEqual([...kept, 'next']);
    await queue.close();
    const { queue: again } = await open(path);
    expect(await readAll(again)).toEqual([...kept, 'next']);
  });

  it('never gives a number again that was acknowledged before records were lost', async () => {
    const { path, file } = await threeRecords();
    const { queue: before } = await open(path);
    before.acknowledge(2);
    await before.close();
    truncateSync(file, 19);
    const { queue } = await open(path);
    await queue.append(Buffer.from('next'));
    expect(await queue.next()).toEqual({ sequence: 3, bytes: Buffer.from('next') });
  });

  it('reads everything again when what was acknowledged is unreadable', async () => {
    const { path } = await threeRecords();
    writeFileSync(join(path, 'acknowledged'), Buffer.alloc(32, 7));
    const { queue } = await open(path);
    expect(await readAll(queue)).toEqual(['one', 'two', 'three']);
  });

  it.each<[what: string, damage: (bytes: Buffer) => void, kept: number[]]>([
    ['one record of an older file', (bytes) => bytes.writeUInt8(0xff, 100), [2, ...range(3, 6)]],
    ['the last record of an older file', (bytes) => bytes.writeUInt8(0xff, 2 * KiB + 100), [1, ...range(3, 6)]],
    ['what follows a length that cannot be', (bytes) => bytes.writeUInt32LE(0xffffffff, 0), range(3, 6)],
    ['what follows a length of nothing', (bytes) => bytes.fill(0, 0, 16), range(3, 6)],
  ])('skips %s, when it is damaged, and counts it', async (_what, damage, kept) => {
    const path = folder();
    const { queue: before } = await open(path);
    for (const number of range(1, 6)) await before.append(record(number, 2 * KiB));
    await before.close();
    const first = join(path, queueFiles(path)[0]!);
    const bytes = readFileSync(first);
    damage(bytes);
    writeFileSync(first, bytes);
    const { queue, seen } = await open(path);
    expect(numbers(await readAll(queue))).toEqual(kept);
    expect(seen).toMatchObject({ damaged: 6 - kept.length, torn: 0 });
  });

  it('skips a damaged record in the midst of the last file, and keeps what follows it', async () => {
    const { path, file } = await threeRecords();
    const bytes = readFileSync(file);
    bytes[19 + 17] = 0xff;
    writeFileSync(file, bytes);
    const { queue, seen } = await open(path);
    await queue.append(Buffer.from('next'));
    expect(await readAll(queue)).toEqual(['one', 'three', 'next']);
    expect(seen).toMatchObject({ damaged: 1, torn: 0 });
    expect(queue.depth.records).toBe(4);
  });

  it('has nothing left when all but what is damaged at its end is acknowledged', async () => {
    const path = folder();
    const { queue: before } = await open(path);
    for (const number of range(1, 4)) await before.append(record(number, 2 * KiB));
    await before.close();
    const second = join(path, queueFiles(path)[1]!);
    const bytes = readFileSync(second);
    bytes[2 * KiB + 100] = 0xff;
    writeFileSync(second, bytes);
    // So that it is not the last one, whose end is cut off.
    writeFileSync(join(path, '0000000000000005.queue'), '');
    const { queue, seen } = await open(path);
    expect(numbers(await readAll(queue))).toEqual([1, 2, 3]);
    expect(seen.damaged).toBe(1);
    queue.acknowledge(3);
    expect(queue.depth.records).toBe(0);
  });

  it('keeps what is larger than what it takes by now', async () => {
    const path = folder();
    const { queue: before } = await open(path, { max_bytes: 256 * KiB });
    for (const [number, size] of [40, 3, 50, 2].entries()) await before.append(record(number + 1, size * KiB));
    await before.close();
    const { queue, seen } = await open(path, { when_full: 'block' });
    const waiting = queue.append(record(5, 2 * KiB));
    expect(numbers(await readAll(queue))).toEqual([1, 2, 3, 4]);
    queue.acknowledge(3);
    expect(await waiting).toBe('stored');
    expect(numbers(await readAll(queue))).toEqual([5]);
    expect(seen).toMatchObject({ damaged: 0, torn: 0, dropped: 0 });
  });

  it.each(range(1, 60))(
    'gives only what was written, in its order, whatever happened to the files: %i',
    async (seed) => {
      const random = new Random(seed);
      const path = folder();
      const { queue: before } = await open(path);
      for (const number of range(1, 40)) await before.append(record(number, 20 + random.below(1500)));
      if (random.below(2) === 0) before.acknowledge(1 + random.below(40));
      const acknowledged = 40 - before.depth.records;
      await before.close();
      const files = readdirSync(path).map((name) => join(path, name));
      for (let times = random.below(4); times >= 0; times--) {
        const file = random.pick(files);
        const bytes = readFileSync(file);
        writeFileSync(file, damaged(bytes, random.below(bytes.length), random));
      }
      const { queue, seen } = await open(path);
      await queue.append(record(1000, 100));
      const texts = await readAll(queue);
      const kept = numbers(texts);
      expect(kept.at(-1)).toBe(1000);
      expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
      expect(texts.every((text) => /^\d+\.*$/.test(text))).toBe(true);
      // What is missing was counted, or cut off at the end.
      const missing = range(acknowledged + 1, 40).filter((number) => !kept.includes(number));
      expect(seen.damaged).toBeLessThanOrEqual(40);
      if (seen.torn === 0) expect(missing.length).toBeLessThanOrEqual(seen.damaged);
      queue.acknowledge(Infinity);
      expect(queue.depth.records).toBe(0);
    },
  );

  it('leaves files alone that are not its own, and names them', async () => {
    const path = folder();
    for (const name of ['000000000001.segment', '0000000000000001.queue2', 'position'])
      writeFileSync(join(path, name), 'x');
    const { queue, seen } = await open(path);
    await queue.append(Buffer.from('a'));
    expect(await readAll(queue)).toEqual(['a']);
    expect(seen.foreign.sort()).toEqual(['0000000000000001.queue2', '000000000001.segment', 'position']);
    await queue.close();
    expect(readdirSync(path).sort()).toEqual(['0000000000000001.queue', 'acknowledged', ...seen.foreign].sort());
  });

  it('has all that was stored, in order, after kill -9', { timeout: 120_000 }, async () => {
    const path = folder();
    let stored = 0;
    for (let round = 1; round <= 4; round++) {
      const child = spawn(
        process.execPath,
        [new URL('../../support/disk-queue-child.ts', import.meta.url).pathname, path, String(stored + 1)],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const gone = new Promise((resolve) => child.once('exit', resolve));
      const enough = stored + 20 + round * 7;
      for await (const line of createInterface({ input: child.stdout })) {
        stored = Number(line);
        if (stored >= enough) child.kill('SIGKILL');
      }
      await gone;
      const { queue, seen } = await open(path, { max_bytes: 64 * 1024 * KiB });
      const kept = numbers(await readAll(queue));
      expect(kept).toEqual(range(1, kept.length));
      expect(kept.length).toBeGreaterThanOrEqual(stored);
      expect(seen.damaged).toBe(0);
      stored = kept.length;
      await queue.close();
    }
  });
});

describe('a disk queue on a disk that fails', () => {
  /** Refuses writes while `error` is set, after it has taken `partly` bytes. */
  function faulty() {
    const fault = {
      error: undefined as string | undefined,
      partly: 0,
      sync: undefined as string | undefined,
      read: undefined as string | undefined,
    };
    const failure = (code: string) => Object.assign(new Error(code), { code });
    const files: QueueFiles = {
      ...systemFiles,
      async open(path, flags) {
        const file = await systemFiles.open(path, flags);
        return new Proxy(file, {
          get(target, key) {
            if (key === 'write' && path.endsWith('.queue') && fault.error !== undefined) {
              return async (bytes: Buffer, at: number, _length: number, position: number) => {
                const { error, partly } = fault;
                if (error !== undefined && partly === 0) throw failure(error);
                fault.partly = 0;
                return target.write(bytes, at, Math.min(partly, bytes.length - at), position);
              };
            }
            if (key === 'read' && fault.read !== undefined) return () => Promise.reject(failure(fault.read!));
            if (key === 'datasync' && fault.sync !== undefined) return () => Promise.reject(failure(fault.sync!));
            const value: unknown = Reflect.get(target, key);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
      },
    };
    return { fault, files };
  }

  it('tells the writer, keeps what it has, and takes more when the disk is well again', async () => {
    const path = folder();
    const { fault, files } = faulty();
    const { queue, seen } = await open(path, {}, files);
    await queue.append(Buffer.from('a'));
    Object.assign(fault, { error: 'EIO', partly: 5 });
    expect(await queue.append(Buffer.from('lost'))).toBe('failed');
    fault.error = undefined;
    expect(await queue.append(Buffer.from('b'))).toBe('stored');
    expect(await readAll(queue)).toEqual(['a', 'b']);
    expect(seen.failed).toEqual(['EIO']);
    await queue.close();
    const { queue: after, seen: seenAfter } = await open(path);
    expect(await readAll(after)).toEqual(['a', 'b']);
    expect(seenAfter).toMatchObject({ damaged: 0, torn: 0 });
  });

  it('does not count as stored what could not be synchronised', async () => {
    const { fault, files } = faulty();
    const { queue } = await open(folder(), {}, files);
    await queue.append(Buffer.from('a'));
    fault.sync = 'EIO';
    expect(await queue.append(Buffer.from('b'))).toBe('failed');
    fault.sync = undefined;
    await queue.append(Buffer.from('c'));
    expect(await readAll(queue)).toEqual(['a', 'c']);
  });

  it('makes room of its own when the disk is full and old records may go', async () => {
    const { fault, files } = faulty();
    const { queue, seen } = await open(
      folder(),
      {},
      {
        ...files,
        async remove(path) {
          await files.remove(path);
          fault.error = undefined;
        },
      },
    );
    for (const number of range(1, 6)) await queue.append(record(number, 2 * KiB));
    fault.error = 'ENOSPC';
    expect(await queue.append(record(7, 2 * KiB))).toBe('stored');
    expect(numbers(await readAll(queue))).toEqual(range(3, 7));
    expect(seen).toMatchObject({ dropped: 2, failed: ['ENOSPC'] });
  });

  it('loses nothing when the disk does not give what it has, and reads it when it does', async () => {
    const { fault, files } = faulty();
    const { queue, seen } = await open(folder(), {}, files);
    await queue.append(Buffer.from('a'));
    fault.read = 'EIO';
    await expect(queue.next()).rejects.toThrow('EIO');
    await expect(queue.next()).rejects.toThrow('EIO');
    fault.read = undefined;
    expect(await readAll(queue)).toEqual(['a']);
    expect(seen.damaged).toBe(0);
  });

  it('refuses all that wait, so that trying again keeps the order', async () => {
    const { fault, files } = faulty();
    const { queue } = await open(folder(), {}, files);
    fault.error = 'EIO';
    const large = () => range(1, 4).map((number) => queue.append(record(number, 3 * KiB)));
    expect(await Promise.all(large())).toEqual(['failed', 'failed', 'failed', 'failed']);
    fault.error = undefined;
    expect(await Promise.all(large())).toEqual(['stored', 'stored', 'stored', 'stored']);
    expect(numbers(await readAll(queue))).toEqual(range(1, 4));
  });

  it('begins another file when somebody has removed the one it writes, and counts what was in it', async () => {
    const path = folder();
    const { queue, seen } = await open(path);
    await queue.append(Buffer.from('a'));
    rmSync(join(path, queueFiles(path)[0]!));
    expect(await readAll(queue)).toEqual([]);
    expect(seen.damaged).toBe(1);
    await queue.append(Buffer.from('b'));
    expect(await readAll(queue)).toEqual(['b']);
    queue.acknowledge(2);
    expect(queue.depth.records).toBe(0);
  });

  it('gives up when the disk is full and nothing is left that could go', async () => {
    const { fault, files } = faulty();
    const { queue } = await open(folder(), {}, files);
    await queue.append(Buffer.from('a'));
    fault.error = 'ENOSPC';
    expect(await queue.append(Buffer.from('b'))).toBe('failed');
  });

  it('waits for room on the disk when it is told to block', async () => {
    const { fault, files } = faulty();
    const { queue } = await open(folder(), { when_full: 'block' }, files);
    await queue.append(Buffer.from('a'));
    Object.assign(fault, { error: 'ENOSPC', partly: 3 });
    const waiting = queue.append(Buffer.from('b'));
    expect(await readAll(queue)).toEqual(['a']);
    fault.error = undefined;
    expect(await waiting).toBe('stored');
    expect(await readAll(queue)).toEqual(['b']);
  });
});

describe('a disk queue that is read while it is written', () => {
  it('loses nothing but what it counts, in whatever order appends, reads and acknowledgements come', async () => {
    const { queue, seen } = await open(folder());
    const total = 400;
    const read: number[] = [];
    const consumer = (async () => {
      for (;;) {
        const next = await queue.next();
        if (next === undefined) {
          if (read.at(-1) === total) return;
          await queue.arrival();
          continue;
        }
        read.push(parseInt(next.bytes.toString()));
        if (read.length % 7 === 0) queue.acknowledge(next.sequence);
      }
    })();
    for (const number of range(1, total)) {
      const appended = queue.append(record(number, 1 * KiB + (number % 5) * 100));
      if (number % 10 === 0) await appended;
    }
    await consumer;
    expect(read).toEqual([...new Set(read)].sort((a, b) => a - b));
    // What was read before its file went is not lost.
    expect(total - read.length).toBe(seen.dropped);
    expect(seen.damaged).toBe(0);
  });
});
