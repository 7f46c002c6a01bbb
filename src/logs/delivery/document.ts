import { createHash } from 'node:crypto';
import { recordId, type LogRecord } from '../record.ts';

let lastTime = NaN;
let lastText = '';

/** When a record happened, as RFC 3339 text in UTC with three or nine digits of a second. */
export function timestamp({ time, nanos }: LogRecord): string {
  // Records of one millisecond come together, and making the text is most of the cost.
  if (time !== lastTime) {
    const date = new Date(time);
    // No date that can be written: the record is worth more than its time.
    lastText = Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00.000' : date.toISOString().slice(0, -1);
    lastTime = time;
  }
  return nanos === 0 ? `${lastText}Z` : `${lastText}${String(nanos).padStart(6, '0')}Z`;
}

/** Milliseconds of the last time whose nanoseconds are 63 bits: in 2262. */
const lastTimeWithNanos = 2 ** 63 / 1e6;

/** Nanoseconds since 1970, which a number cannot hold, as decimal text; those of 1970 for a time that has none that a store takes. */
export function unixNanos({ time, nanos }: LogRecord): string {
  return time >= 1 && time < lastTimeWithNanos ? `${Math.floor(time)}${String(nanos).padStart(6, '0')}` : String(nanos);
}

/** A record as one line of JSON, its time as `@timestamp`. @throws Error when a field is no plain JSON value */
export function documentOf(record: LogRecord): string {
  const { fields } = record;
  const time = timestamp(record);
  // Elasticsearch refuses an object that has a name twice.
  if ('@timestamp' in fields) return JSON.stringify({ ...fields, '@timestamp': time });
  const json = JSON.stringify(fields);
  return json === '{}' ? `{"@timestamp":"${time}"}` : `{"@timestamp":"${time}",${json.slice(1)}`;
}

/** Most bytes that Elasticsearch takes as an `_id`. */
const longestId = 512;

/** The record's id, shortened to a digest when it is too long for a store. */
export function documentId(record: LogRecord): string {
  const id = recordId(record);
  return id.length * 3 <= longestId || Buffer.byteLength(id) <= longestId
    ? id
    : createHash('sha256').update(id).digest('base64url');
}
