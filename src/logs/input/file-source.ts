import type { LogSource } from '../record.ts';

/** What records carry of their file. The path follows the file through renames. */
export class FileSource implements LogSource {
  readonly key: string;
  readonly input: string;
  path: string;

  constructor(key: string, input: string, path: string) {
    this.key = key;
    this.input = input;
    this.path = path;
  }
}
