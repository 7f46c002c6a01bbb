/** The proxy's configuration, from a file or a text. */
import { resolve } from 'node:path';
import { isPath, loadFilter } from '../filter/load.ts';
import { checkExpanded } from './check.ts';
import { checkFilters } from './filters.ts';
import { deepFreeze } from './freeze.ts';
import { LoadedConfig } from './loaded-config.ts';
import { parseAndCheck, readConfig, sha256, type LoadOptions } from './read-config.ts';
import { rootSchema, type Config } from './schema.ts';

/**
 * Reads, checks and freezes a configuration, its filters loaded.
 * @param file as the user wrote it: faults show it so
 * @throws InvalidConfig with every fault there is
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const read = await readConfig(file, options.files);
  return parseConfig(read.text, file, { ...options, ...read });
}

/**
 * The same for a text that is at hand.
 * @param file names the text in faults; relative paths start from its folder
 */
export function parseConfig(
  text: string,
  file: string,
  {
    environment = process.env,
    files = new Map<string, string | undefined>(),
    hash = sha256(text),
  }: LoadOptions & { hash?: string } = {},
): Promise<LoadedConfig> {
  return parseAndCheck({ text, hash, files }, file, environment, async (parts, root) => {
    const { data, folder } = parts;
    const checked = checkExpanded(rootSchema, data, [], root);
    const filters = await checkFilters(data, root, (reference) => {
      if (isPath(reference)) files.set(resolve(folder, reference), undefined);
      return loadFilter(reference, folder);
    });
    return {
      faults: [...(checked.faults ?? []), ...filters.faults],
      loaded() {
        const config = checked.output as Config;
        deepFreeze(config);
        deepFreeze(filters);
        return new LoadedConfig(parts, config, filters);
      },
    };
  });
}
