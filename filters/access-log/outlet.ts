import { writeSync } from 'node:fs';

/** Writes texts to an open target, one after the other, without ever holding up the event loop. */
export interface Outlet {
  /**
   * Takes a text once the one before is written. Answers whether that is done; if not, one of {@link OutletEvents} tells later,
   * or has told already that it failed.
   * @param bytes its length in UTF-8
   */
  write(text: string, bytes: number): boolean;
  /** Goes on with the text that failed. Answers as `write` does. */
  again(): boolean;
  /** Writes what is left of the text that failed, or another one, now or never: the process ends. @throws Error of the system */
  restNow(): void;
  writeNow(text: string): void;
  /** Lets go of the target; when a text is under way, as soon as the system is done with it. */
  close(): void;
}

export interface OutletEvents {
  done(): void;
  /** The text is kept, as far as it is not written, for {@link Outlet.again}. */
  failed(error: NodeJS.ErrnoException): void;
}

/** @throws Error of the system */
export function writeWhole(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
