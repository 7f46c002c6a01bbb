import type { LogRecord } from '../../record.ts';
import type { LokiConfig } from '../config.ts';
import { documentOf, unixNanos } from '../document.ts';
import { fieldAt } from '../field-at.ts';
import { delivered } from '../outcome.ts';
import type { HttpFormat } from './http-output.ts';

/** Longest value of a label; Loki's own limit is 2,048 bytes. */
const longestLabel = 512;

interface Line {
  readonly time: bigint;
  readonly json: string;
}

/**
 * Loki's push API. Entries of a stream go in the order of their times. Loki answers 400 when it refuses some of them, has taken
 * the others, and takes an entry that it has once more for nothing: so the batch is sent in parts until it is known which.
 */
export function loki({ labels, static_labels: fixed, max_streams: most, line: shape, tenant }: LokiConfig): HttpFormat {
  const names = Object.entries(labels);
  const withJob = Object.keys(fixed).length + names.length === 0 ? { job: 'portico' } : fixed;
  const overflow = JSON.stringify({ ...withJob, overflow: 'true' });
  const known = new Set<string>();

  function streamOf(record: LogRecord): string {
    if (names.length === 0) return JSON.stringify(withJob);
    const stream: Record<string, string> = { ...withJob };
    for (const [label, field] of names) {
      const value = fieldAt(record.fields, field);
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        stream[label] = String(value).slice(0, longestLabel);
      }
    }
    const key = JSON.stringify(stream);
    if (known.has(key)) return key;
    if (known.size >= most || key === '{}') return overflow;
    known.add(key);
    return key;
  }

  function lineOf(record: LogRecord): string {
    const time = unixNanos(record);
    const { message } = record.fields;
    if (shape === 'json' || typeof message !== 'string') return `["${time}",${JSON.stringify(documentOf(record))}]`;
    return `["${time}",${JSON.stringify(message)},${JSON.stringify(metadataOf(record.fields))}]`;
  }

  return {
    path: '/loki/api/v1/push',
    query: '',
    headers: { 'content-type': 'application/json', ...(tenant !== undefined && { 'x-scope-orgid': tenant }) },
    encode(records) {
      const streams = new Map<string, Line[]>();
      for (const record of records) {
        const stream = streamOf(record);
        const line = { time: BigInt(unixNanos(record)), json: lineOf(record) };
        const lines = streams.get(stream);
        if (lines === undefined) streams.set(stream, [line]);
        else lines.push(line);
      }
      const written = [...streams].map(([stream, lines]) => {
        lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
        return `{"stream":${stream},"values":[${lines.map(({ json }) => json).join(',')}]}`;
      });
      return Buffer.from(`{"streams":[${written.join(',')}]}`);
    },
    judge: () => delivered,
  };
}

/** Structured metadata is flat text. Loki allows letters, digits and _ in its names. */
function metadataOf(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'message' || value === undefined) continue;
    metadata[name.replace(/[^a-zA-Z0-9_]/g, '_')] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return metadata;
}
