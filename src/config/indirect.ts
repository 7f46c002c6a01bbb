import { isAbsolute, resolve } from 'node:path';
import { expandVariables } from './expand.ts';
import type { Indirect, TextFault } from './parse-yaml.ts';
import { putAt } from './place.ts';
import { readText } from '../files/read-text.ts';

/** Values that stand for others: what `${…}` and `file:` become. */
export interface IndirectOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What relative paths start from: the folder of the configuration. */
  readonly folder: string;
  /** Told of every file that is read for a value, also when that fails. */
  onFile?(path: string, bytes?: Uint8Array): void;
}

/** `file:/run/secrets/key`, `file:./key`, `file:${SECRETS}/key`; any other text is itself. */
const filePrefix = /^file:(?=\/|\.{1,2}\/|\$\{)/;

/** Puts the real values into plain data and marks their places. What cannot be had is told, and its place is faulty. */
export async function resolveIndirect(
  data: unknown,
  indirect: readonly Indirect[],
  options: IndirectOptions,
): Promise<TextFault[]> {
  const faults: TextFault[] = [];
  for (const { path, place, text } of indirect) {
    const complain = (message: string) => {
      place.faulty = true;
      faults.push({ offset: place.at, path, message });
    };
    const named = filePrefix.exec(text);
    const expansion = expandVariables(named === null ? text : text.slice(named[0].length), options.environment);
    expansion.complaints.forEach(complain);
    if (expansion.complaints.length > 0) continue;
    if (named !== null) {
      const file = pathFrom(options.folder, expansion.text);
      options.onFile?.(file);
      try {
        const { text: content, bytes } = await readText(file, { regularOnly: true });
        options.onFile?.(file, bytes);
        place.written = text;
        putAt(data, path, content.trim());
      } catch (error) {
        complain(`the file ${JSON.stringify(text.slice(named[0].length))} ${(error as Error).message}`);
      }
    } else if (expansion.expanded) {
      if (expansion.fromEnvironment) place.written = text;
      putAt(data, path, expansion.text);
    }
  }
  return faults;
}

function pathFrom(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}
