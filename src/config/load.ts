/** From a file to a configuration that can be used, or to everything that is wrong with it. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { isPath, loadFilter } from '../filter/load.ts';
import { ConfigError, type Fault } from '../options/index.ts';
import { checkExpanded } from './check.ts';
import { checkFilters } from './filters.ts';
import { deepFreeze } from './freeze.ts';
import { resolveIndirect } from './indirect.ts';
import { faultLines, LoadedConfig, type PlacedFault } from './loaded-config.ts';
import { parseYaml, type ParsedYaml, type TextFault } from './parse-yaml.ts';
import { isFaulty } from './place.ts';
import { readText, UnreadableFile } from './read-text.ts';
import { rootSchema, type Config } from './schema.ts';

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

/**
 * Reads, checks and freezes a configuration, its filters loaded.
 * @param file as the user wrote it: faults show it so
 * @throws InvalidConfig with every fault there is
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  try {
    const files = options.files ?? new Map<string, string | undefined>();
    files.set(resolve(file), undefined);
    const { text, bytes } = await readText(file);
    const hash = sha256(bytes);
    files.set(resolve(file), hash);
    return await parseConfig(text, file, { ...options, files, hash });
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const at = error.position === undefined ? '' : `:${error.position.line}:${error.position.column}`;
    throw new InvalidConfig([{ path: [], message: error.message }], [`${file}${at} ${error.message}`]);
  }
}

/**
 * The same for a text that is at hand.
 * @param file names the text in faults; relative paths start from its folder
 */
export async function parseConfig(
  text: string,
  file: string,
  {
    environment = process.env,
    files = new Map<string, string | undefined>(),
    hash = sha256(text),
  }: LoadOptions & { hash?: string } = {},
): Promise<LoadedConfig> {
  const folder = dirname(resolve(file));
  const onFile = (path: string, bytes?: Uint8Array) => void files.set(path, bytes && sha256(bytes));
  const parsed = parseYaml(text);
  const readable = parsed.faults.every(({ path }) => path.length > 0);
  const faults: TextFault[] = [...parsed.faults];
  if (!readable) throw invalid(file, textFaults(parsed, faults));
  faults.push(...(await resolveIndirect(parsed.data, parsed.indirect, { environment, folder, onFile })));

  const { data, root } = parsed;
  const checked = checkExpanded(rootSchema, data, [], root);
  const filters = await checkFilters(data, root, (reference) => {
    if (isPath(reference)) files.set(resolve(folder, reference), undefined);
    return loadFilter(reference, folder);
  });
  const config = (checked.output ?? {}) as Config;
  const loaded = new LoadedConfig({ config, checked: filters, parsed, data, file, folder, hash, files, text });
  const refused = [...(checked.faults ?? []), ...filters.faults].filter(({ path }) => !isFaulty(root, path));
  if (faults.length + refused.length > 0) {
    throw invalid(file, [
      ...textFaults(parsed, faults),
      ...refused.map((fault) => ({
        path: fault.path,
        message: loaded.conceal(fault.message, fault.path),
        ...loaded.locateFault(fault),
      })),
    ]);
  }
  deepFreeze(config);
  deepFreeze(filters);
  return loaded;
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function textFaults(parsed: ParsedYaml, faults: readonly TextFault[]): PlacedFault[] {
  return faults.map(({ path, message, offset }) => ({ path, message, ...parsed.position(offset) }));
}

function invalid(file: string, faults: readonly PlacedFault[]): InvalidConfig {
  return new InvalidConfig(faults, faultLines(file, faults));
}
