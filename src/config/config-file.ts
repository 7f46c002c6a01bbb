import { resolve } from 'node:path';
import type { ConfigError, Fault, OptionPath } from '../options/index.ts';
import { showPath } from '../options/index.ts';
import { redactedDump } from './dump.ts';
import type { SchemaFault } from './explain.ts';
import type { ParsedYaml } from './parse-yaml.ts';
import { everyPlace, nearestPlace, valueAt } from './place.ts';

export interface Position {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
}

/** A fault with its place. */
export type PlacedFault = Fault & Position;

export interface ConfigFileParts {
  readonly parsed: ParsedYaml;
  /** What was written, `${…}` and `file:` expanded. */
  readonly data: unknown;
  readonly file: string;
  readonly folder: string;
  readonly hash: string;
  readonly files: ReadonlyMap<string, string | undefined>;
  readonly text: string;
}

/** A configuration file as it was written, whatever it configures: its values, and where each of them stands. */
export class ConfigFile {
  /** As the user named it. */
  readonly file: string;
  /** Absolute; relative paths in the configuration start here. */
  readonly folder: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
  /** The file as it was read. */
  readonly text: string;
  /** Files that it was made of, with the SHA-256 of what was read of each, or undefined when that is not known. */
  readonly files: ReadonlyMap<string, string | undefined>;
  readonly #parsed: ParsedYaml;
  readonly #data: unknown;

  constructor(parts: ConfigFileParts) {
    this.file = parts.file;
    this.folder = parts.folder;
    this.hash = parts.hash;
    this.files = parts.files;
    this.text = parts.text;
    this.#parsed = parts.parsed;
    this.#data = parts.data;
  }

  /** Makes a path of the configuration absolute. */
  resolvePath(path: string): string {
    return resolve(this.folder, path);
  }

  /** The file says nothing at all. */
  get empty(): boolean {
    return Object.keys(this.#data as object).length === 0;
  }

  /** An option as it was written, `${…}` and `file:` expanded; undefined where a default stands in. */
  written(path: OptionPath): unknown {
    return valueAt(this.#data, path);
  }

  /** Where an option stands: its value, or if it was not written, what is around it. */
  locate(path: OptionPath): Position {
    return this.#parsed.position(nearestPlace(this.#parsed.root, path).place.at);
  }

  /** Where a fault is shown: an unknown option at its key, what is missing at the key of what it is missing in. */
  locateFault(fault: Fault | SchemaFault): Position {
    const parsed = this.#parsed;
    const { place, exact } = nearestPlace(parsed.root, fault.path);
    const at = 'at' in fault ? fault.at : 'value';
    const useKey = at === 'key' || at === 'parent' || !exact;
    return parsed.position(useKey ? (place.keyAt ?? place.at) : place.at);
  }

  /** Takes values that came from `${…}` and `file:` out of a message, and shows what was written instead. */
  conceal(message: string, path: OptionPath = []): string {
    const parsed = this.#parsed;
    const data = this.#data;
    let result = message;
    for (const [at, place] of everyPlace(parsed.root)) {
      if (place.written === undefined) continue;
      const value = valueAt(data, at);
      const text = String(value);
      const here = at.length === path.length && at.every((part, index) => part === path[index]);
      if (here) result = result.replace(`, not ${JSON.stringify(value)}`, `, not what ${place.written} is`);
      if (text.length >= 6) result = result.replaceAll(text, place.written);
    }
    return result;
  }

  /**
   * What an operator may see of it.
   * @param full the effective configuration in the form a person writes, defaults filled in
   */
  protected redact(full: unknown): unknown {
    return redactedDump(full, this.#parsed.root);
  }
}

/**
 * Ready to print, one line a fault, in the order of the file:
 * `config/edge.yaml:14:9 http_filters[2].config.max_token: unknown option; did you mean max_tokens?`
 */
export function describeFaults(error: ConfigError, loaded: ConfigFile): string[] {
  return faultLines(
    loaded.file,
    error.faults.map((fault) => ({
      path: fault.path,
      message: loaded.conceal(fault.message, fault.path),
      ...loaded.locateFault(fault),
    })),
  );
}

/** What is wrong with a file in more than this many places is wrong in one that was not meant as a configuration. */
const mostLines = 100;

export function faultLines(file: string, faults: readonly PlacedFault[]): string[] {
  const sorted = [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map(({ path, message, line, column }) => {
    const option = path.length === 0 ? '' : `${showPath(path)}: `;
    return { line: `${file}:${line}:${column} ${option}${message}`, key: `${line}:${column} ${message}` };
  });
  // What is wrong behind an anchor is wrong at every alias of it.
  const seen = new Set<string>();
  const once = lines.filter(({ key }) => !seen.has(key) && seen.add(key)).map(({ line }) => line);
  return once.length <= mostLines
    ? once
    : [...once.slice(0, mostLines), `${file} has ${once.length - mostLines} more faults`];
}
