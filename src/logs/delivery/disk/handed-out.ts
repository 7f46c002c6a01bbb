import type { LogRecord } from '../../record.ts';

/** Records that were read from the buffer and are on their way. They arrive in any order, the buffer forgets them in its own. */
export class HandedOut {
  /** In the order of their numbers. */
  readonly #numbers = new Map<LogRecord, number>();
  #last = 0;

  add(record: LogRecord, sequence: number): void {
    this.#numbers.set(record, sequence);
    this.#last = sequence;
  }

  /** There is no record to this number. */
  skip(sequence: number): void {
    this.#last = sequence;
  }

  arrived(records: readonly LogRecord[]): void {
    for (const record of records) this.#numbers.delete(record);
  }

  /** All up to this number have arrived. */
  get settled(): number {
    const [first] = this.#numbers.values();
    return first === undefined ? this.#last : first - 1;
  }
}
