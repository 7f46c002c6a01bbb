import { open, stat } from 'node:fs/promises';

/** Larger than any key, token or bundle of authorities. */
const largest = 1024 * 1024;

/** The text of a small file, read again when the file is another one than before. */
export class WatchedFile {
  readonly #path: string;
  #seen = '';
  #text = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws Error when it cannot be read, or is larger than 1 MiB */
  async read(): Promise<string> {
    const { mtimeMs, ctimeMs, ino, size } = await stat(this.#path);
    const seen = `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
    if (seen === this.#seen) return this.#text;
    const file = await open(this.#path, 'r');
    try {
      if (size > largest) throw new Error(`${this.#path} is larger than ${largest} bytes`);
      this.#text = await file.readFile('utf8');
      this.#seen = seen;
      return this.#text;
    } finally {
      await file.close();
    }
  }
}
