import { ConfigError, type Fault, type OptionPath } from '../options/index.ts';

/**
 * Goes on after a faulty part, so that all faults are told at once.
 * @param at what the paths of its faults start from
 */
export async function collect<T>(
  faults: Fault[],
  make: () => T | Promise<T>,
  at: OptionPath = [],
): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    faults.push(...error.faults.map((fault) => ({ ...fault, path: [...at, ...fault.path] })));
    return undefined;
  }
}
