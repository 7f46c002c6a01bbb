/** The app of the tests: writes numbered lines to a file and rotates it. Run as a process of its own, or used in the test. */
import { closeSync, copyFileSync, openSync, renameSync, truncateSync, writeSync } from 'node:fs';

export interface LogWriter {
  /** Writes the next lines. */
  write(lines: number): void;
  /** Lines written so far, to all files. */
  readonly written: number;
  /** Renames the file and goes on in a new one; `late` lines go to the old one after that. */
  rotate(to: string, late?: number): void;
  /** Copies the file and truncates it. */
  copyTruncate(to: string): void;
  close(): void;
}

const padding = 'x'.repeat(60);

/** @param append as most programs open their log files; without it the writer goes on at its old offset after a truncation */
export function logWriter(
  path: string,
  { from = 0, append = true }: { from?: number; append?: boolean } = {},
): LogWriter {
  let file = openSync(path, append ? 'a' : 'w');
  let next = from;
  const write = (lines: number) => {
    let text = '';
    for (let count = 0; count < lines; count++) text += line(next++);
    writeSync(file, text);
  };
  return {
    write,
    get written() {
      return next - from;
    },
    rotate(to, late = 0) {
      renameSync(path, to);
      const created = openSync(path, 'a');
      write(late);
      closeSync(file);
      file = created;
    },
    copyTruncate(to) {
      copyFileSync(path, to);
      truncateSync(path, 0);
    },
    close: () => closeSync(file),
  };
}

export function line(number: number): string {
  return `seq=${String(number).padStart(10, '0')} ${padding}\n`;
}

/** The number of a line; undefined for what is none. */
export function sequenceOf(text: string): number | undefined {
  const match = /^seq=(\d{10}) x{60}$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Numbers that are missing of those from 0 to `written`, and how many came more than once. */
export function judge(
  texts: readonly string[],
  written: number,
): { missing: number[]; repeated: number; foreign: string[] } {
  const counts = new Uint16Array(written);
  const foreign: string[] = [];
  for (const text of texts) {
    const number = sequenceOf(text);
    if (number === undefined || number >= written) foreign.push(text.slice(0, 100));
    else counts[number]!++;
  }
  const missing: number[] = [];
  let repeated = 0;
  counts.forEach((count, number) => {
    if (count === 0) missing.push(number);
    if (count > 1) repeated += count - 1;
  });
  return { missing, repeated, foreign };
}
