import { ProtobufFault, protobufFields, readVarint } from '../../protobuf/index.ts';
import type { Exemplar, MetricFamily, MetricType, Sample } from '../family.ts';
import { numberText } from '../own-family.ts';
import { seriesText } from '../series.ts';
import type { SeriesTable } from '../series-table.ts';
import { ExpositionFault, LineFault } from './fault.ts';
import { millisecondsToSeconds } from './number.ts';
import { textNotation } from './parse-series.ts';
import type { ExpositionParser, ParsedExposition, ParseOptions } from './parsed.ts';
import { SampleTally } from './sample-tally.ts';

/** By number, as in io.prometheus.client. */
const types: readonly MetricType[] = ['counter', 'gauge', 'summary', 'untyped', 'histogram', 'gaugehistogram'];

/** What is known of a family while its metrics are read. */
interface Head {
  readonly name: string;
  readonly type: MetricType;
}

/**
 * Prometheus' protobuf format: messages `io.prometheus.client.MetricFamily`, each behind its length. It alone carries native
 * histograms, which are kept as the bytes they are. There is no line that could be left out: a fault ends the reading.
 */
export class ProtobufParser implements ExpositionParser {
  readonly #table: SeriesTable;
  readonly #tally: SampleTally;
  readonly #families: MetricFamily[] = [];
  /** The beginning of a family. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes that must be there before it can be read. */
  #needed = 0;

  constructor({ table, maxSamples }: ParseOptions) {
    this.#table = table;
    this.#tally = new SampleTally(maxSamples);
    table.begin(textNotation);
  }

  write(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    // Putting a large family together at each of its chunks would take ages.
    if (this.#waitingBytes < this.#needed) return;
    let rest = this.#waiting.length === 1 ? chunk : Buffer.concat(this.#waiting);
    this.#needed = 0;
    this.#guard(() => {
      for (let length = readVarint(rest, 0); length !== undefined; length = readVarint(rest, 0)) {
        const end = length[1] + Number(length[0]);
        if (rest.length < end) {
          this.#needed = end;
          break;
        }
        this.#family(rest.subarray(length[1], end));
        rest = rest.subarray(end);
      }
    });
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
  }

  end(): ParsedExposition {
    if (this.#waitingBytes > 0) throw new ExpositionFault(0, 'the page was cut off within a family');
    return this.#tally.parsed(this.#families);
  }

  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof LineFault || error instanceof ProtobufFault)) throw error;
      throw new ExpositionFault(0, `family ${this.#families.length + 1} ${error.message}`);
    }
  }

  #family(message: Buffer): void {
    let name = '';
    let help: string | undefined;
    let unit: string | undefined;
    let type: MetricType = 'counter';
    const metrics: Buffer[] = [];
    for (const { field, value } of protobufFields(message)) {
      if (field === 1) name = textOf(value);
      else if (field === 2) help = textOf(value);
      else if (field === 3) type = types[Number(value)] ?? 'untyped';
      else if (field === 4) metrics.push(bytesOf(value));
      else if (field === 5) unit = textOf(value);
    }
    if (name === '') throw new LineFault('has no name');
    const samples: Sample[] = [];
    for (const metric of metrics) this.#metric({ name, type }, metric, samples);
    this.#families.push({ name, type, help, unit: unit === '' ? undefined : unit, samples });
  }

  #metric(head: Head, message: Buffer, samples: Sample[]): void {
    const labels: string[] = [];
    let timestamp: string | undefined;
    const values: { readonly field: number; readonly body: Buffer }[] = [];
    for (const { field, value } of protobufFields(message)) {
      if (field === 1) labels.push(...labelPair(bytesOf(value)));
      else if (field === 6) timestamp = millisecondsToSeconds(String(signed(value)));
      else if (field >= 2 && field <= 7) values.push({ field, body: bytesOf(value) });
    }
    const add = (suffix: string, more: readonly string[], value: number, exemplar?: Exemplar, native?: Buffer) => {
      const known = this.#table.get(seriesText(head.name + suffix, [...labels, ...more]));
      this.#tally.take(known, samples, numberText(value), timestamp, exemplar, native);
    };
    for (const { field, body } of values) {
      if (field === 7) readHistogram(head, body, add);
      else if (field === 4) readSummary(body, add);
      else readValue(body, add);
    }
  }
}

type Add = (suffix: string, labels: readonly string[], value: number, exemplar?: Exemplar, native?: Buffer) => void;

/** Gauge, counter and untyped: a double, and an exemplar of a counter. */
function readValue(body: Buffer, add: Add): void {
  let number = 0;
  let exemplar: Exemplar | undefined;
  for (const { field, kind, value } of protobufFields(body)) {
    if (field === 1 && kind === 'fixed64') number = value;
    else if (field === 2 && kind === 'bytes') exemplar = readExemplar(value);
  }
  add('', [], number, exemplar);
}

function readSummary(body: Buffer, add: Add): void {
  let count = 0;
  let sum = 0;
  for (const { field, value } of protobufFields(body)) {
    if (field === 1) count = Number(value);
    else if (field === 2) sum = Number(value);
    else if (field === 3) {
      const quantile = doubles(bytesOf(value));
      add('', ['quantile', numberText(quantile.get(1) ?? 0)], quantile.get(2) ?? 0);
    }
  }
  add('_sum', [], sum);
  add('_count', [], count);
}

function readHistogram({ type }: Head, body: Buffer, add: Add): void {
  let count = 0;
  let sum = 0;
  let last: number | undefined;
  let native = false;
  for (const { field, value } of protobufFields(body)) {
    if (field === 1 || field === 4) count = Number(value) || count;
    else if (field === 2) sum = Number(value);
    else if (field === 3) last = readBucket(bytesOf(value), add);
    // What a native histogram has and a classic one has not: schema, zero bucket, spans, deltas.
    else if (field >= 5 && field <= 14) native = true;
  }
  if (last !== Infinity) add('_bucket', ['le', '+Inf'], count);
  const gauge = type === 'gaugehistogram';
  add(gauge ? '_gsum' : '_sum', [], sum);
  // A copy: the chunk it is part of is much larger.
  add(gauge ? '_gcount' : '_count', [], count, undefined, native ? Buffer.from(body) : undefined);
}

function readBucket(body: Buffer, add: Add): number {
  let count = 0;
  let bound = 0;
  let exemplar: Exemplar | undefined;
  for (const { field, value } of protobufFields(body)) {
    if (field === 1 || field === 4) count = Number(value) || count;
    else if (field === 2) bound = Number(value);
    else if (field === 3) exemplar = readExemplar(bytesOf(value));
  }
  add('_bucket', ['le', numberText(bound)], count, exemplar);
  return bound;
}

function readExemplar(body: Buffer): Exemplar {
  const labels: string[] = [];
  let number = 0;
  let timestamp: string | undefined;
  for (const { field, value } of protobufFields(body)) {
    if (field === 1) labels.push(...labelPair(bytesOf(value)));
    else if (field === 2) number = Number(value);
    else if (field === 3) timestamp = readTimestamp(bytesOf(value));
  }
  return { labels, value: numberText(number), timestamp };
}

/** google.protobuf.Timestamp as seconds. */
function readTimestamp(body: Buffer): string {
  let seconds = '0';
  let fraction = '';
  for (const { field, value } of protobufFields(body)) {
    if (field === 1) seconds = String(signed(value));
    else if (field === 2) fraction = `.${String(value).padStart(9, '0').replace(/0+$/, '')}`;
  }
  return fraction.length > 1 ? seconds + fraction : seconds;
}

function labelPair(body: Buffer): [name: string, value: string] {
  let name = '';
  let text = '';
  for (const { field, value } of protobufFields(body)) {
    if (field === 1) name = textOf(value);
    else if (field === 2) text = textOf(value);
  }
  return [name, text];
}

function doubles(body: Buffer): Map<number, number> {
  return new Map(Array.from(protobufFields(body), ({ field, value }) => [field, Number(value)]));
}

/** int64. */
function signed(value: bigint | number | Buffer): bigint {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value);
  throw new LineFault('has something else where an integer was expected');
}

function bytesOf(value: bigint | number | Buffer): Buffer {
  if (Buffer.isBuffer(value)) return value;
  throw new LineFault('has a number where a message was expected');
}

function textOf(value: bigint | number | Buffer): string {
  return bytesOf(value).toString('utf8');
}
