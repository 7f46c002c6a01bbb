import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { candidates } from '../../../../src/logs/input/find-compressed.ts';
import { GzipDescriptor, readCompressedHead } from '../../../../src/logs/input/gzip-descriptor.ts';

/** A compressed file of one test. */
function compressed(bytes: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file.gz');
  writeFileSync(path, bytes);
  return path;
}

async function opened(bytes: Buffer): Promise<{ descriptor: GzipDescriptor; damages: Error[] }> {
  const damages: Error[] = [];
  const descriptor = new GzipDescriptor((error) => damages.push(error));
  onTestFinished(() => descriptor.close());
  expect(await descriptor.open(compressed(bytes), () => true)).toBe(true);
  return { descriptor, damages };
}

/** All that is there from an offset on, and the size that is told at its end. */
async function readFrom(descriptor: GzipDescriptor, offset: number): Promise<[text: string, size: number]> {
  const buffer = Buffer.alloc(10_000);
  let text = '';
  for (;;) {
    const { bytesRead, found } = await descriptor.readPiece(buffer, offset + text.length);
    if (bytesRead === 0) return [text, Number(found?.size)];
    text += buffer.toString('latin1', 0, bytesRead);
  }
}

const text = Array.from({ length: 30_000 }, (_, at) => `line ${at}\n`).join('');

it.each([
  ['from its beginning', gzipSync(text), 0, text],
  ['from the middle', gzipSync(text), 100_001, text.slice(100_001)],
  ['from its end', gzipSync(text), text.length, ''],
  ['of several parts that follow each other', Buffer.concat([gzipSync(text), gzipSync(text)]), 0, text + text],
  ['that is empty', gzipSync(''), 0, ''],
])('gives what is in a compressed file %s', async (_what, bytes, offset, rest) => {
  const { descriptor, damages } = await opened(bytes);
  expect(await readFrom(descriptor, offset)).toEqual([rest, offset + rest.length]);
  expect(damages).toEqual([]);
});

it('goes back when it is asked for what it has given', async () => {
  const { descriptor } = await opened(gzipSync(text));
  await readFrom(descriptor, 50_000);
  expect((await readFrom(descriptor, 20))[0]).toBe(text.slice(20));
});

it('has nothing behind its end, and says that this is the end', async () => {
  const { descriptor } = await opened(gzipSync('short'));
  expect(await readFrom(descriptor, 100)).toEqual(['', 100]);
});

it.each([
  ['cut off', gzipSync(text).subarray(0, 20_000)],
  ['with wrong bytes', Buffer.concat([gzipSync(text).subarray(0, 20_000), Buffer.alloc(20_000, 0xff)])],
])('of one that is %s it gives what can be read, and tells of it once', async (_what, bytes) => {
  const { descriptor, damages } = await opened(bytes);
  const [read] = await readFrom(descriptor, 0);
  // Wrong bytes are noticed some time after they have come.
  expect(read.slice(0, 10_000)).toBe(text.slice(0, 10_000));
  expect(damages).toHaveLength(1);
});

it.each([
  ['that is no compressed file', Buffer.from('plain text'), ''],
  ['that is shorter than a head', gzipSync('one\n'), 'one\n'],
  // 200 MB of zeros in 200 KB.
  ['of very much', gzipSync(Buffer.alloc(200_000_000), { level: 1 }), '\0'.repeat(1024)],
])('the head of one %s', async (_what, bytes, head) => {
  expect((await readCompressedHead(compressed(bytes))).toString('latin1')).toBe(head);
});

it('candidates are beside the file and begin like it, the nearest first', () => {
  const names = ['other.log.1.gz', 'app-2026.log.gz', 'app.log', 'app.log.1', 'app.log.1.gz', 'apple.gz'];
  expect(candidates(names, 'app.log')).toEqual(['app.log.1.gz', 'app-2026.log.gz', 'apple.gz']);
});
