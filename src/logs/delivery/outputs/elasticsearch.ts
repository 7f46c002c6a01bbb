import type { LogRecord } from '../../record.ts';
import type { ElasticsearchConfig } from '../config.ts';
import { documentId, documentOf } from '../document.ts';
import type { Outcome, Rejection } from '../outcome.ts';
import type { HttpFormat } from './http-output.ts';

const longestReason = 1000;

/**
 * The bulk API of Elasticsearch and OpenSearch. Each record is created under an id made of its source and offset, so a repeat
 * meets itself and is answered 409: delivered before. In a data stream that holds as long as the backing index is not rolled
 * over in between.
 */
export function elasticsearch({ data_stream: stream, index, pipeline }: ElasticsearchConfig): HttpFormat {
  const target = compileIndex((stream ?? index)!);
  const fixed = typeof target === 'string' ? target : undefined;
  const nameOf = typeof target === 'string' ? () => target : target;
  const query = new URLSearchParams({ filter_path: 'errors,items.*.status,items.*.error.type,items.*.error.reason' });
  if (pipeline !== undefined) query.set('pipeline', pipeline);
  return {
    path: fixed === undefined ? '/_bulk' : `/${fixed}/_bulk`,
    query: query.toString(),
    headers: { 'content-type': 'application/x-ndjson', accept: 'application/json' },

    encode(records) {
      let body = '';
      for (const record of records) {
        const id = JSON.stringify(documentId(record));
        body +=
          fixed === undefined
            ? `{"create":{"_index":"${nameOf(record)}","_id":${id}}}\n`
            : `{"create":{"_id":${id}}}\n`;
        body += documentOf(record);
        body += '\n';
      }
      return Buffer.from(body);
    },

    judge: (records, body) => judgeBulk(records.length, body.text()),
  };
}

/** `app-%Y.%m.%d` with the time of each record; a name without a date is itself. */
function compileIndex(pattern: string): string | ((record: LogRecord) => string) {
  if (!pattern.includes('%')) return pattern;
  const day = 86_400_000;
  const unit = pattern.includes('%H') ? day / 24 : day;
  let from = NaN;
  let name = '';
  return function indexOf({ time }) {
    if (time >= from && time < from + unit) return name;
    const date = new Date(Number.isNaN(new Date(time).getTime()) ? 0 : time);
    const text = date.toISOString();
    const parts: Record<string, string> = {
      '%Y': String(date.getUTCFullYear()).padStart(4, '0'),
      '%m': text.slice(-19, -17),
      '%d': text.slice(-16, -14),
      '%H': text.slice(-13, -11),
    };
    from = Math.floor(date.getTime() / unit) * unit;
    return (name = pattern.replace(/%[YmdH]/g, (part) => parts[part]!));
  };
}

interface BulkItem {
  readonly status?: unknown;
  readonly error?: { readonly type?: unknown; readonly reason?: unknown };
}

/** What a bulk answer of status 200 says about each record: `errors` false means that there is nothing to look for. */
export function judgeBulk(count: number, body: string): Outcome {
  let answer: { errors?: unknown; items?: unknown };
  try {
    answer = JSON.parse(body) as typeof answer;
  } catch {
    return unclear('the answer is not JSON');
  }
  if (typeof answer !== 'object' || answer === null || !Array.isArray(answer.items)) {
    return unclear('the answer has no items');
  }
  const items = answer.items as readonly (Record<string, BulkItem> | null)[];
  if (items.length !== count) return unclear(`the answer has ${items.length} items for ${count} records`);
  const rejected: Rejection[] = [];
  const again: number[] = [];
  let why = '';
  for (const [at, wrapped] of items.entries()) {
    const item = wrapped?.['create'] ?? wrapped?.['index'];
    const status = typeof item?.status === 'number' ? item.status : 0;
    // 409: our own id is there, so the record is. Anybody else's id cannot be the same.
    if ((status >= 200 && status < 300) || status === 409) continue;
    const type = textOf(item?.error?.type);
    const reason = `status ${status}: ${type}: ${textOf(item?.error?.reason)}`.slice(0, longestReason);
    // Privileges are granted again as credentials are rotated, which is not the record's fault.
    const forbidden = (status === 401 || status === 403) && type === 'security_exception';
    if (status >= 400 && status < 500 && status !== 429 && !forbidden) rejected.push({ at, reason });
    else {
      again.push(at);
      why ||= reason;
    }
  }
  return { kind: 'settled', rejected, again, reason: why };
}

function unclear(reason: string): Outcome {
  return { kind: 'retry', cause: 'unclear', reason };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'unknown';
}
