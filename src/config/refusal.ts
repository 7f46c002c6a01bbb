/** Why a running portico does not take a configuration. */
import { ConfigError } from '../options/index.ts';
import { describeFaults, type ConfigFile } from './config-file.ts';
import { InvalidConfig } from './read-config.ts';

/** An empty file is a configuration, but not one that anybody wants in the place of another: it is being written. */
export function refuseEmpty(loaded: ConfigFile): void {
  if (loaded.empty)
    throw new Error(`${loaded.file} is empty; a running portico takes that for a file that is being written`);
}

/** One line a fault, ready to print. */
export function faultsOf(error: unknown, loaded: ConfigFile | undefined): readonly string[] {
  if (error instanceof InvalidConfig) return error.lines;
  if (error instanceof ConfigError && loaded !== undefined) return describeFaults(error, loaded);
  return [error instanceof Error ? error.message : String(error)];
}
