import type { AppendOutcome } from './queue-observer.ts';
import { frameHead } from './record-frame.ts';

/** Records that are not on the disk yet, and who waits for that. */
export class WaitingAppends {
  readonly #waiting: { readonly bytes: Uint8Array; readonly tell: (outcome: AppendOutcome) => void }[] = [];

  get count(): number {
    return this.#waiting.length;
  }

  /** What the first one takes on the disk. */
  get firstSize(): number {
    return frameHead + this.#waiting[0]!.bytes.length;
  }

  add(bytes: Uint8Array): Promise<AppendOutcome> {
    return new Promise((tell) => this.#waiting.push({ bytes, tell }));
  }

  /** As many as fit into so many bytes on the disk, and at least one. */
  fitting(room: number): Uint8Array[] {
    const fitting: Uint8Array[] = [];
    for (const { bytes } of this.#waiting) {
      room -= frameHead + bytes.length;
      if (room < 0 && fitting.length > 0) break;
      fitting.push(bytes);
    }
    return fitting;
  }

  /** They wait no longer. */
  tell(count: number, outcome: AppendOutcome): void {
    for (const { tell } of this.#waiting.splice(0, count)) tell(outcome);
  }
}
