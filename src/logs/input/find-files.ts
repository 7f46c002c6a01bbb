import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { Glob, GlobSegment } from './glob.ts';

/** Folders that `**` goes down. */
const deepest = 32;

export interface FoundFiles {
  /** In the order of the patterns, then of the names; each once. */
  readonly paths: readonly string[];
  /** Those that were read, for whoever wants to be told of changes. */
  readonly folders: readonly string[];
  /** Folders that are there and could not be read. */
  readonly failures: readonly { readonly path: string; readonly code: string }[];
  /** There are more files than `most`. */
  readonly more: boolean;
}

/**
 * Finds the paths that patterns match. What is behind a path is not looked at, except for what is neither known to be a
 * file nor to be a folder. `**` does not follow symbolic links to folders, which may lead in circles.
 */
export async function findFiles(
  globs: readonly Glob[],
  excluded: (path: string) => boolean,
  most: number,
): Promise<FoundFiles> {
  const search = new Search(excluded, most);
  for (const { root, segments } of globs) await search.below(root, segments, 0);
  return {
    paths: [...search.paths],
    folders: [...search.listings.keys()],
    failures: [...search.failures].map(([path, code]) => ({ path, code })),
    more: search.more,
  };
}

class Search {
  readonly paths = new Set<string>();
  readonly listings = new Map<string, readonly Dirent[]>();
  readonly failures = new Map<string, string>();
  more = false;
  readonly #excluded: (path: string) => boolean;
  readonly #most: number;

  constructor(excluded: (path: string) => boolean, most: number) {
    this.#excluded = excluded;
    this.#most = most;
  }

  async below(folder: string, segments: readonly GlobSegment[], depth: number): Promise<void> {
    const [segment, ...rest] = segments;
    if (segment === undefined || this.more) return;
    if (segment.kind === 'folders') {
      await this.below(folder, rest, depth);
      if (depth >= deepest) return;
      for (const entry of await this.#list(folder)) {
        if (entry.isDirectory() && !entry.name.startsWith('.'))
          await this.below(join(folder, entry.name), segments, depth + 1);
      }
      return;
    }
    const last = rest.length === 0;
    for (const entry of await this.#list(folder)) {
      if (segment.kind === 'literal' ? entry.name !== segment.name : !segment.matches(entry.name)) continue;
      const path = join(folder, entry.name);
      if (!last) await this.below(path, rest, depth);
      else if (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(path)))) this.#take(path);
    }
  }

  #take(path: string): void {
    if (this.#excluded(path) || this.paths.has(path)) return;
    if (this.paths.size >= this.#most) this.more = true;
    else this.paths.add(path);
  }

  async #list(folder: string): Promise<readonly Dirent[]> {
    const known = this.listings.get(folder);
    if (known !== undefined) return known;
    let entries: Dirent[] = [];
    try {
      entries = await readdir(folder, { withFileTypes: true });
      entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      // ENOTDIR: a file where the pattern has a folder, which is none of its paths.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.failures.set(folder, code);
      if (code !== 'ENOENT') return [];
    }
    this.listings.set(folder, entries);
    return entries;
  }
}

/** A link to what is gone, or may not be seen, is taken for one to a file: whoever opens it finds out and says so. */
async function leadsToFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

function join(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}
