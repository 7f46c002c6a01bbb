import type { MetricType } from '../family.ts';

/** What is pushed at once, in a form that fits every protocol, and that waits in the queue as JSON. */
export interface Batch {
  readonly families: readonly BatchFamily[];
}

export interface BatchFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
  readonly samples: readonly BatchSample[];
}

export interface BatchSample {
  /** The whole name with its suffix. */
  readonly name: string;
  /** Name, value, name, value …; sorted by name, none empty. */
  readonly labels: readonly string[];
  /** As the app wrote it, or {@link stale}. */
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** When its counting began as far as we have seen, milliseconds since 1970. */
  readonly start: number;
}

/** Stands for the value of a series that has ended. */
export const stale = 'stale';

const splittable = new Set<MetricType>(['counter', 'gauge', 'untyped', 'unknown']);

/** Batches of about so many samples. The samples of a histogram or summary stay together, since OTLP makes points of them. */
export function splitIntoBatches(families: readonly BatchFamily[], mostSamples: number): Batch[] {
  const batches: Batch[] = [];
  let current: BatchFamily[] = [];
  let room = mostSamples;
  const flush = () => {
    if (current.length > 0) batches.push({ families: current });
    current = [];
    room = mostSamples;
  };
  for (const family of families) {
    for (let at = 0; at < family.samples.length;) {
      if (room === 0 || (!splittable.has(family.type) && family.samples.length > room)) flush();
      const count = splittable.has(family.type) ? room : family.samples.length;
      const samples = family.samples.slice(at, at + count);
      current.push({ ...family, samples });
      at += samples.length;
      room = Math.max(0, room - samples.length);
    }
  }
  flush();
  return batches;
}

export function numberOf(value: string): number {
  if (value === '+Inf' || value === 'Inf') return Infinity;
  return value === '-Inf' ? -Infinity : Number(value);
}

export function countSamples({ families }: Batch): number {
  return families.reduce((sum, { samples }) => sum + samples.length, 0);
}

/** @returns undefined for what is none: a queue may hold what another version has written */
export function readBatch(bytes: Buffer): Batch | undefined {
  try {
    const batch = JSON.parse(bytes.toString()) as Batch | null;
    return Array.isArray(batch?.families) ? batch : undefined;
  } catch {
    return undefined;
  }
}

export function writeBatch(batch: Batch): Buffer {
  return Buffer.from(JSON.stringify(batch));
}
