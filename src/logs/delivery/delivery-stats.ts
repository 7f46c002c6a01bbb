import type { CounterHandle, Stats } from '../../stats/index.ts';

/** What the gauges show, read when somebody scrapes. */
export interface DeliveryLevels {
  readonly records: number;
  readonly bytes: number;
  /** Milliseconds since the oldest record that is not acknowledged was taken; 0 when there is none. */
  readonly oldest: number;
  readonly diskBytes: number;
}

/** The numbers of delivery: all are `portico_logs_delivery_…`. */
export class DeliveryStats {
  readonly delivered: CounterHandle;
  readonly retried: CounterHandle;
  readonly rejected: CounterHandle;
  readonly batches: CounterHandle;
  readonly rawBytes: CounterHandle;
  readonly sentBytes: CounterHandle;
  readonly blocked: CounterHandle;
  readonly corrupt: CounterHandle;
  readonly #attempts: (outcome: string) => CounterHandle;
  readonly #dropped: (reason: string) => CounterHandle;
  /** The same numbers for the admin, which cannot read counters. */
  readonly totals = { delivered: 0, retried: 0, rejected: 0, dropped: 0 };

  constructor(stats: Stats) {
    const counter = (name: string, doc: string) => stats.counter(`portico_logs_delivery_${name}`, doc).with({});
    this.delivered = counter('records_delivered_total', 'Records that the store has.');
    this.retried = counter('records_retried_total', 'Records sent once more, counted at each time.');
    this.rejected = counter('records_rejected_total', 'Records that the store refused for good.');
    this.batches = counter('batches_total', 'Batches that were begun.');
    this.rawBytes = counter('raw_bytes_total', 'Bytes of all attempts before compression.');
    this.sentBytes = counter('sent_bytes_total', 'Bytes of all attempts as sent.');
    this.blocked = counter('write_failures_total', 'Writes to the disk buffer or the dead-letter file that failed.');
    this.corrupt = counter('corrupt_records_total', 'Records of the disk buffer that could not be read back.');
    const attempts = stats.counter('portico_logs_delivery_attempts_total', 'Attempts to send, by their outcome.', [
      'outcome',
    ]);
    this.#attempts = (outcome) => attempts.with({ outcome });
    const dropped = stats.counter('portico_logs_delivery_records_dropped_total', 'Records lost, by the reason.', [
      'reason',
    ]);
    this.#dropped = (reason) => dropped.with({ reason });
  }

  attempt(outcome: string): void {
    this.#attempts(outcome).add();
  }

  drop(reason: string, count: number): void {
    if (count === 0) return;
    this.#dropped(reason).add(count);
    this.totals.dropped += count;
  }

  deliver(count: number): void {
    this.delivered.add(count);
    this.totals.delivered += count;
  }

  retry(count: number): void {
    this.retried.add(count);
    this.totals.retried += count;
  }

  reject(count: number): void {
    this.rejected.add(count);
    this.totals.rejected += count;
  }
}

/** Lets a scrape read the levels. A later delivery of the same process takes the place of an earlier one. */
export function observeLevels(stats: Stats, read: () => DeliveryLevels): void {
  const gauge = (name: string, doc: string, value: (levels: DeliveryLevels) => number) => {
    stats.observed(`portico_logs_delivery_${name}`, doc, [], () => [[{}, value(read())]]);
  };
  gauge('buffered_records', 'Records in memory that are not acknowledged.', ({ records }) => records);
  gauge('buffered_bytes', 'About how many bytes the records in memory take.', ({ bytes }) => bytes);
  gauge('oldest_seconds', 'Age of the oldest record that is not delivered.', ({ oldest }) => oldest / 1000);
  gauge('disk_buffer_bytes', 'Bytes that the disk buffer takes.', ({ diskBytes }) => diskBytes);
}
