import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../../../filter/define-filter.ts';
import type { LogRecord } from '../../record.ts';
import { parseRetryAfter } from '../backoff.ts';
import { classify } from '../classify.ts';
import type { HttpOutputConfig } from '../config.ts';
import type { Outcome, Output, Prepared } from '../outcome.ts';
import type { AnswerBody } from '../transport/answer-body.ts';
import { HttpTransport, type Answer } from '../transport/http-transport.ts';

const compress = promisify(gzip);

/** Smaller bodies grow rather than shrink, or save nothing that counts. */
const leastToCompress = 512;

/** Most characters of an answer that stand in a reason. */
const longestReason = 300;

/** What is special about one store that is spoken to over HTTP: how a batch is written, and what an answer of 2xx means. */
export interface HttpFormat {
  /** Goes after the path and the query of the configured URL. */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Headers that depend on the batch; the same for the same batch. */
  headersOf?(batch: Prepared): Readonly<Record<string, string>>;
  /** @throws Error when a record cannot be written */
  encode(records: readonly LogRecord[]): Buffer;
  /** Reads an answer of 2xx. */
  judge(records: readonly LogRecord[], body: AnswerBody): Outcome;
  /** What another answer says, where it is no text. */
  explain?(body: AnswerBody): string | undefined;
}

/** An output that posts each batch as one body. */
export function httpOutput(
  config: HttpOutputConfig,
  format: HttpFormat,
  { clock, connections }: { clock: Clock; connections: number },
): Output {
  const transport = new HttpTransport(config, { clock, connections });
  return {
    kind: config.kind,

    async prepare(records) {
      const body = format.encode(records);
      const raw = body.byteLength;
      if (config.compression === 'none' || raw < leastToCompress) return { records, body, raw, compressed: false };
      return { records, body: await compress(body, { level: config.compression_level }), raw, compressed: true };
    },

    async send(batch, signal) {
      const headers = {
        'user-agent': 'portico',
        ...format.headers,
        ...format.headersOf?.(batch),
        ...(batch.compressed && { 'content-encoding': 'gzip' }),
      };
      const answer = await transport.post(format.path, format.query, headers, batch.body, signal);
      return read(answer, batch.records, format, clock.now());
    },

    show: () => ({ kind: config.kind, targets: transport.show() }),
    close: () => transport.close(),
  };
}

function read(answer: Answer, records: readonly LogRecord[], format: HttpFormat, now: number): Outcome {
  if (answer.kind === 'failed') return { kind: 'retry', cause: answer.cause, reason: answer.reason };
  // Fewer records make a shorter answer.
  if (answer.kind === 'too_long') return { kind: 'split', reason: `the answer of status ${answer.status} is too long` };
  const verdict = classify(answer.status);
  if (verdict.kind === 'delivered') return format.judge(records, answer.body);
  const reason = `status ${answer.status}${excerpt(format.explain?.(answer.body) ?? answer.body.text())}`;
  if (verdict.kind !== 'retry') return { kind: verdict.kind, reason };
  const retryAfter = parseRetryAfter(answer.retryAfter, now);
  return { kind: 'retry', cause: verdict.cause, reason, ...(retryAfter !== undefined && { retryAfter }) };
}

function excerpt(body: string): string {
  const text = body.slice(0, longestReason).replace(/\s+/g, ' ').trim();
  return text === '' ? '' : `: ${text}`;
}
