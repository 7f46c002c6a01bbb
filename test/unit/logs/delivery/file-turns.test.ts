import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { FileTurns } from '../../../../src/logs/delivery/file-turns.ts';
import { RotatingFile } from '../../../../src/logs/delivery/rotating-file.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portico-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

it('two that append to one file and rename it lose nothing to each other', async () => {
  const base = await folder();
  const path = join(base, 'dead.jsonl');
  const turns = new FileTurns();
  const writers = [0, 1].map(() => new RotatingFile({ path, maxBytes: 100, keep: 50 }));
  const lines = Array.from({ length: 200 }, (_, at) => `line ${String(at).padStart(4, '0')}\n`);
  await Promise.all(
    lines.map((line, at) => {
      const writer = writers[at % 2]!;
      return turns.take(path, writer, () => writer.append(Buffer.from(line)));
    }),
  );
  await Promise.all(writers.map((writer) => turns.leave(path, writer)));
  const names = await readdir(base);
  const texts = await Promise.all(names.map((name) => readFile(join(base, name), 'utf8')));
  expect(texts.flatMap((text) => text.match(/.*\n/g) ?? []).sort()).toEqual(lines);
  for (const name of names) expect((await stat(join(base, name))).size).toBeLessThanOrEqual(100);
});

it('a write that fails is told to its writer, and holds up nobody', async () => {
  const turns = new FileTurns();
  const writer = { close: async () => {} };
  const order: string[] = [];
  const failing = turns.take('path', writer, () => Promise.reject(new Error('no space')));
  const next = turns.take('path', { close: async () => {} }, async () => void order.push('next'));
  await expect(failing).rejects.toThrow('no space');
  await next;
  expect(order).toEqual(['next']);
});

it('lets go of the file before another one writes, and waits for writes before it leaves', async () => {
  const turns = new FileTurns();
  const told: string[] = [];
  const named = (name: string) => ({ close: async () => void told.push(`${name} closes`) });
  const [one, two] = [named('one'), named('two')];
  await turns.take('path', one, async () => void told.push('one writes'));
  const written = turns.take('path', two, async () => void told.push('two writes'));
  await turns.leave('path', two);
  await written;
  expect(told).toEqual(['one writes', 'one closes', 'two writes', 'two closes']);
});
