import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Position } from '../checkpoint.ts';
import { readCompressedHead } from './gzip-descriptor.ts';
import { bears } from './identity.ts';

/** Compressed files that are looked into to find one. */
const mostCandidates = 100;

/**
 * Finds what a file has become that was rotated and compressed: it is told by the first bytes of what is in it, among those beside it
 * whose names begin like its own. When several begin alike nobody can tell which it is, and none is taken.
 * @throws the error of the file system for the folder
 */
export async function findCompressed(past: Position): Promise<string | undefined> {
  if (past.fingerprint.length === 0) return undefined;
  const folder = dirname(past.path);
  const found: string[] = [];
  for (const name of candidates(await readdir(folder), basename(past.path))) {
    const path = join(folder, name);
    // Not a pipe, which nobody may ever write to.
    if ((await stat(path).catch(() => undefined))?.isFile() !== true) continue;
    const head = await readCompressedHead(path).catch(() => undefined);
    if (head !== undefined && bears(past.fingerprint, head)) found.push(path);
  }
  return found.length === 1 ? found[0] : undefined;
}

/** app.log may have become app.log.1.gz, app.log-20261125.gz or app-2026-11-25.log.gz. */
export function candidates(names: readonly string[], name: string): readonly string[] {
  const stem = /^\.?[^.]*/.exec(name)![0];
  return names
    .filter((other) => other.endsWith('.gz') && other.startsWith(stem))
    .sort((one, two) => Number(two.startsWith(name)) - Number(one.startsWith(name)))
    .slice(0, mostCandidates);
}
