/** From a file to what is written in it, or to everything that is wrong with it; what it configures is for the caller to check. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { ConfigError, type Fault } from '../options/index.ts';
import { ConfigFile, faultLines, type ConfigFileParts, type PlacedFault } from './config-file.ts';
import type { SchemaFault } from './explain.ts';
import { resolveIndirect } from './indirect.ts';
import { parseYaml, type TextFault } from './parse-yaml.ts';
import { isFaulty, type Place } from './place.ts';
import { readText, UnreadableFile } from '../files/read-text.ts';

export interface LoadOptions {
  /** What `${NAME}` stands for. Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /**
   * Collects the files that the configuration is made of, also when it is faulty: the SHA-256 of what was read of each, in
   * hexadecimal, or undefined when that is not known.
   */
  readonly files?: Map<string, string | undefined>;
}

/** A file that cannot be used as a configuration. `lines` are ready to print, one a fault. */
export class InvalidConfig extends ConfigError {
  readonly lines: readonly string[];

  constructor(faults: readonly Fault[], lines: readonly string[]) {
    super(faults);
    this.lines = lines;
    this.message = lines.join('\n');
  }
}

/** A text with its name, as a configuration is parsed from. */
export interface ConfigText {
  readonly text: string;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly hash: string;
  readonly files: Map<string, string | undefined>;
}

/**
 * Reads a configuration file.
 * @param file as the user wrote it: faults show it so
 * @throws InvalidConfig when it cannot be read
 */
export async function readConfig(file: string, files = new Map<string, string | undefined>()): Promise<ConfigText> {
  try {
    files.set(resolve(file), undefined);
    const { text, bytes } = await readText(file);
    const hash = sha256(bytes);
    files.set(resolve(file), hash);
    return { text, hash, files };
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const at = error.position === undefined ? '' : `:${error.position.line}:${error.position.column}`;
    throw new InvalidConfig([{ path: [], message: error.message }], [`${file}${at} ${error.message}`]);
  }
}

/** What a check makes of the values of a file. */
export interface Checked<Loaded> {
  readonly faults: readonly SchemaFault[];
  /** Called only when there is no fault at all. */
  loaded(): Loaded;
}

/**
 * Parses the text, expands `${…}` and `file:`, has the values checked, and tells all faults at once.
 * @param file names the text in faults; relative paths start from its folder
 * @throws InvalidConfig with every fault there is
 */
export async function parseAndCheck<Loaded>(
  { text, hash, files }: ConfigText,
  file: string,
  environment: NonNullable<LoadOptions['environment']>,
  check: (parts: ConfigFileParts, root: Place) => Promise<Checked<Loaded>> | Checked<Loaded>,
): Promise<Loaded> {
  const folder = dirname(resolve(file));
  const onFile = (path: string, bytes?: Uint8Array) => void files.set(path, bytes && sha256(bytes));
  const parsed = parseYaml(text);
  const faults: TextFault[] = [...parsed.faults];
  const placed = (): PlacedFault[] =>
    faults.map(({ path, message, offset }) => ({ path, message, ...parsed.position(offset) }));
  if (!parsed.faults.every(({ path }) => path.length > 0)) throw invalid(file, placed());
  faults.push(...(await resolveIndirect(parsed.data, parsed.indirect, { environment, folder, onFile })));
  const { data, root } = parsed;
  const parts: ConfigFileParts = { parsed, data, file, folder, hash, files, text };
  const checked = await check(parts, root);
  const refused = checked.faults.filter(({ path }) => !isFaulty(root, path));
  if (faults.length + refused.length === 0) return checked.loaded();
  const source = new ConfigFile(parts);
  throw invalid(file, [
    ...placed(),
    ...refused.map((fault) => ({
      path: fault.path,
      message: source.conceal(fault.message, fault.path),
      ...source.locateFault(fault),
    })),
  ]);
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function invalid(file: string, faults: readonly PlacedFault[]): InvalidConfig {
  return new InvalidConfig(faults, faultLines(file, faults));
}
