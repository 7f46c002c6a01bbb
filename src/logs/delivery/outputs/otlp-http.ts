import {
  encodeOtlp,
  jsonDouble,
  otlpContentTypes,
  readPartialSuccess,
  readStatusMessage,
  type AnyValue,
  type KeyValue,
  type OtlpAnswer,
} from '../../../otlp/index.ts';
import type { LogRecord } from '../../record.ts';
import type { OtlpConfig } from '../config.ts';
import { unixNanos } from '../document.ts';
import { delivered, type Outcome } from '../outcome.ts';
import type { AnswerBody } from '../transport/answer-body.ts';
import type { HttpFormat } from './http-output.ts';
import { logsRequestShape } from './otlp-logs-shape.ts';
import { severityOf } from './otlp-severity.ts';

const deepest = 16;

/** OTLP/HTTP 1.x: `message` is the body, trace and span ids are lifted, the level becomes a severity. */
export function otlpHttp({ resource_fields: resourceFields, resource, encoding }: OtlpConfig): HttpFormat {
  const ofResource = new Set(resourceFields);
  const fixed = Object.entries(resource).map(([key, value]) => ({ key, value: { stringValue: value } }));

  function isOfResource(name: string): boolean {
    if (ofResource.has(name)) return true;
    const dot = name.indexOf('.');
    return dot > 0 && ofResource.has(name.slice(0, dot));
  }

  return {
    path: '/v1/logs',
    query: '',
    headers: { 'content-type': otlpContentTypes[encoding] },
    encode(records) {
      const resources = new Map<string, { about: readonly KeyValue[]; logRecords: object[] }>();
      for (const record of records) {
        const about: KeyValue[] = [];
        const rest: KeyValue[] = [];
        for (const [name, value] of Object.entries(record.fields)) {
          if (lifted.has(name) || value === undefined) continue;
          if (isOfResource(name)) flatten(name, value, about, 0);
          else rest.push({ key: name, value: anyValue(value, 0) });
        }
        const key = JSON.stringify(about);
        const known = resources.get(key);
        const written = logRecord(record, rest);
        if (known === undefined) resources.set(key, { about, logRecords: [written] });
        else known.logRecords.push(written);
      }
      const resourceLogs = Array.from(resources.values(), ({ about, logRecords }) => ({
        resource: { attributes: [...about, ...fixed] },
        scopeLogs: [{ scope: { name: 'portico' }, logRecords }],
      }));
      return encodeOtlp({ resourceLogs }, logsRequestShape, encoding);
    },
    judge(records, body) {
      const { rejected, message } = readPartialSuccess(answerOf(body), encoding, 'rejectedLogRecords');
      return judgePartial(records.length, rejected, body.redact(message));
    },
    explain(body) {
      const message = readStatusMessage(answerOf(body), encoding);
      return message === undefined ? undefined : body.redact(message);
    },
  };
}

function answerOf({ bytes, contentType }: AnswerBody): OtlpAnswer {
  return { body: bytes, contentType };
}

const lifted = new Set(['message', 'trace_id', 'span_id', 'trace_flags']);

function logRecord(record: LogRecord, attributes: KeyValue[]): Record<string, unknown> {
  const { fields } = record;
  const severity = severityOf(fields);
  const trace = idOf(fields['trace_id'], 32);
  const span = idOf(fields['span_id'], 16);
  const flags = fields['trace_flags'];
  if (trace === undefined && fields['trace_id'] !== undefined) keep('trace_id');
  if (span === undefined && fields['span_id'] !== undefined) keep('span_id');
  if (typeof flags !== 'number' && flags !== undefined) keep('trace_flags');
  return {
    timeUnixNano: unixNanos(record),
    observedTimeUnixNano: unixNanos(record),
    ...(severity !== undefined && { severityNumber: severity.number, severityText: severity.text }),
    ...(fields['message'] !== undefined && { body: anyValue(fields['message'], 0) }),
    attributes,
    ...(trace !== undefined && { traceId: trace }),
    ...(span !== undefined && { spanId: span }),
    ...(typeof flags === 'number' && { flags: flags >>> 0 }),
  };

  /** What is no id by its form would make the receiver refuse the whole batch. */
  function keep(name: string): void {
    attributes.push({ key: name, value: anyValue(fields[name], 0) });
  }
}

/** Ids are hexadecimal text in fields as in OTLP's JSON; all zeros is no id. */
function idOf(value: unknown, digits: number): string | undefined {
  if (typeof value !== 'string' || value.length !== digits) return undefined;
  return /^[0-9a-f]+$/i.test(value) && /[^0]/.test(value) ? value.toLowerCase() : undefined;
}

function anyValue(value: unknown, depth: number): AnyValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return { intValue: String(value) };
    return { doubleValue: jsonDouble(value) };
  }
  if (typeof value !== 'object' || value === null) return {};
  if (depth === deepest) return { stringValue: JSON.stringify(value) };
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => anyValue(item, depth + 1)) } };
  const values = Object.entries(value).map(([key, inner]) => ({ key, value: anyValue(inner, depth + 1) }));
  return { kvlistValue: { values } };
}

/** Attributes of a resource are named by path: `kubernetes: { pod: x }` is `kubernetes.pod`. */
function flatten(name: string, value: unknown, into: KeyValue[], depth: number): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth === deepest) {
    into.push({ key: name, value: anyValue(value, 0) });
    return;
  }
  for (const [key, inner] of Object.entries(value)) flatten(`${name}.${key}`, inner, into, depth + 1);
}

/**
 * The receiver says how many records it rejected, and not which; it must not be sent them again (OTLP 1.x, Partial Success). So
 * all of the batch is put aside with that note, rather than lose the ones that are meant.
 */
export function judgePartial(count: number, rejected: number, message: string): Outcome {
  if (rejected === 0) return delivered;
  const why = message === '' ? 'no reason given' : message;
  const reason = rejected >= count ? why : `${rejected} of ${count} records, it is not said which: ${why}`;
  return {
    kind: 'settled',
    rejected: Array.from({ length: count }, (_, at) => ({ at, reason })),
    again: [],
    reason: '',
  };
}
