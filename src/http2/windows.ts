/** RFC 9113 §6.9.1: no window is larger. */
export const maxWindow = 2 ** 31 - 1;
/** What windows are before anybody has said otherwise (RFC 9113 §6.9.2). */
export const defaultWindow = 65_535;

/** A window that may be used up to send, after an increment; undefined when it would be too large. It may be negative (§6.9.2). */
export function grown(window: number, increment: number): number | undefined {
  const larger = window + increment;
  return larger > maxWindow ? undefined : larger;
}

/** What the peer may send us, and what we owe it: bytes that came and have been used since it was told last. */
export class ReceiveWindow {
  readonly #size: number;
  #left: number;
  #owed = 0;

  /** @param size bytes that may be on their way, or wait here, at once */
  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** Says whether the peer was allowed to send so many bytes. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** So many of the bytes have been used. Answers the increment to announce, 0 while it is not worth a frame. */
  release(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#size / 2) return 0;
    const increment = this.#owed;
    this.#left += increment;
    this.#owed = 0;
    return increment;
  }
}
