/** The configuration of a role that is not the proxy, from a file or a text. Loads nothing of the proxy. */
import type * as v from 'valibot';
import { checkExpanded } from './check.ts';
import { deepFreeze } from './freeze.ts';
import { LoadedRoleConfig } from './loaded-role-config.ts';
import { parseAndCheck, readConfig, sha256, type LoadOptions } from './read-config.ts';

/**
 * Reads, checks and freezes a configuration.
 * @param file as the user wrote it: faults show it so
 * @throws InvalidConfig with every fault there is
 */
export async function loadRoleConfig<Config>(
  schema: v.GenericSchema<unknown, Config>,
  file: string,
  options: LoadOptions = {},
): Promise<LoadedRoleConfig<Config>> {
  const read = await readConfig(file, options.files);
  return parseRoleConfig(schema, read.text, file, { ...options, ...read });
}

/**
 * The same for a text that is at hand.
 * @param file names the text in faults; relative paths start from its folder
 */
export function parseRoleConfig<Config>(
  schema: v.GenericSchema<unknown, Config>,
  text: string,
  file: string,
  {
    environment = process.env,
    files = new Map<string, string | undefined>(),
    hash = sha256(text),
  }: LoadOptions & { hash?: string } = {},
): Promise<LoadedRoleConfig<Config>> {
  return parseAndCheck({ text, hash, files }, file, environment, (parts, root) => {
    const checked = checkExpanded(schema, parts.data, [], root);
    return {
      faults: checked.faults ?? [],
      loaded() {
        const config = checked.output as Config;
        deepFreeze(config);
        return new LoadedRoleConfig(parts, config, schema);
      },
    };
  });
}
