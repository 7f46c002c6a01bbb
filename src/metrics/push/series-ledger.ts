import type { MetricFamily, MetricType } from '../family.ts';
import { numberOf, stale, type BatchFamily, type BatchSample } from './batch.ts';
import type { Snapshot } from './snapshot.ts';

interface Known {
  readonly name: string;
  readonly labels: readonly string[];
  readonly family: Omit<BatchFamily, 'samples'>;
  start: number;
  last: number;
  /** Turn in which it was seen last. */
  seen: number;
}

const cumulative = new Set<MetricType>(['counter', 'histogram', 'summary']);

/** Remembers the series of the last snapshot: when they began, and which are gone. */
export class SeriesLedger {
  readonly #external: readonly (readonly [string, string])[];
  readonly #known = new Map<string, Known>();
  #turn = 0;
  #lastAt = 0;

  constructor(externalLabels: Readonly<Record<string, string>>) {
    this.#external = Object.entries(externalLabels);
  }

  /** What is to be pushed: all samples of the snapshot once, and an end mark for each series that is gone since the last one. */
  take({ families, at }: Snapshot): BatchFamily[] {
    this.#turn++;
    this.#lastAt = Math.max(at, this.#lastAt);
    const taken: BatchFamily[] = [];
    for (const { name, type, help = '', unit = '', samples } of families) {
      const family = { name, type, help, unit };
      const batchSamples: BatchSample[] = [];
      for (const sample of samples) {
        const made = this.#sample(sample, family, at);
        if (made !== undefined) batchSamples.push(made);
      }
      if (batchSamples.length > 0) taken.push({ ...family, samples: batchSamples });
    }
    return [...taken, ...this.#gone(at)];
  }

  /** End marks for all series. */
  end(at: number): BatchFamily[] {
    this.#turn++;
    // One later than the last sample: a receiver refuses two values of one moment.
    return this.#gone(Math.max(at, this.#lastAt + 1));
  }

  #sample(
    { name, labels, value, timestamp }: MetricFamily['samples'][number],
    family: Omit<BatchFamily, 'samples'>,
    now: number,
  ): BatchSample | undefined {
    const sorted = this.#labels(labels);
    const key = JSON.stringify([name, sorted]);
    let known = this.#known.get(key);
    // A series that is there twice would be refused with all its batch.
    if (known?.seen === this.#turn) return undefined;
    const number = numberOf(value);
    if (known === undefined)
      this.#known.set(key, (known = { name, labels: sorted, family, start: now, last: number, seen: 0 }));
    else if (cumulative.has(family.type) && number < known.last) known.start = now;
    known.seen = this.#turn;
    known.last = number;
    const at = timestamp === undefined ? now : Math.round(Number(timestamp) * 1000);
    return { name, labels: known.labels, value, at: Number.isFinite(at) ? at : now, start: known.start };
  }

  #gone(at: number): BatchFamily[] {
    const families = new Map<string, { family: Omit<BatchFamily, 'samples'>; samples: BatchSample[] }>();
    for (const [key, { name, labels, family, start, seen }] of this.#known) {
      if (seen === this.#turn) continue;
      this.#known.delete(key);
      const known = families.get(family.name) ?? { family, samples: [] };
      families.set(family.name, known);
      known.samples.push({ name, labels, value: stale, at, start });
    }
    return Array.from(families.values(), ({ family, samples }) => ({ ...family, samples }));
  }

  /** Sorted, unique and not empty, as remote write wants them. The app's own labels win. */
  #labels(labels: readonly string[]): string[] {
    const pairs = new Map<string, string>(this.#external);
    for (let at = 0; at < labels.length; at += 2) pairs.set(labels[at]!, labels[at + 1]!);
    return [...pairs]
      .filter(([, value]) => value !== '')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat();
  }
}
