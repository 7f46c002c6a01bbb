import { ProtobufFault, protobufFields, type ProtobufField } from '../protobuf/index.ts';
import type { OtlpEncoding } from './encoding.ts';

/** Longest message of a receiver that is kept, in characters. */
const longestMessage = 1000;
/** Fields of a message that are looked at; those of interest are 1 and 2. */
const mostFields = 64;

/** What a receiver says about a request that it took: so many of its records or points are refused, and why. */
export interface PartialSuccess {
  /** At most 2^53 - 1. */
  readonly rejected: number;
  readonly message: string;
}

const wholeSuccess: PartialSuccess = { rejected: 0, message: '' };

export interface OtlpAnswer {
  readonly body: Buffer;
  readonly contentType: string | undefined;
}

/**
 * Reads an answer of 2xx: Export…ServiceResponse. One that is not of that form says nothing beyond its status: some receivers answer
 * with text.
 * @param asked in what encoding the request was, which is that of the answer unless it says something else
 * @param rejectedName of the count in JSON; in protobuf it has the same number in all of these messages
 */
export function readPartialSuccess(
  answer: OtlpAnswer,
  asked: OtlpEncoding,
  rejectedName: 'rejectedLogRecords' | 'rejectedDataPoints',
): PartialSuccess {
  if (encodingOf(answer, asked) === 'json') return readJson(answer.body, rejectedName);
  return readProtobuf(answer.body);
}

/** The message of an answer that is not 2xx: google.rpc.Status. @returns undefined when the answer is something else */
export function readStatusMessage(answer: OtlpAnswer, asked: OtlpEncoding): string | undefined {
  if (encodingOf(answer, asked) === 'json') return undefined;
  try {
    for (const { field, kind, value } of firstFields(answer.body)) {
      if (field === 2 && kind === 'bytes') return shorten(value);
    }
  } catch (error) {
    if (!(error instanceof ProtobufFault)) throw error;
  }
  return undefined;
}

function encodingOf({ contentType = '' }: OtlpAnswer, asked: OtlpEncoding): OtlpEncoding {
  if (/^application\/json\b/i.test(contentType)) return 'json';
  return /^application\/x-protobuf\b/i.test(contentType) ? 'protobuf' : asked;
}

function readJson(body: Buffer, rejectedName: string): PartialSuccess {
  try {
    const { partialSuccess } = JSON.parse(body.toString()) as { partialSuccess?: Record<string, unknown> | null };
    const message = partialSuccess?.['errorMessage'];
    return {
      rejected: countOf(Number(partialSuccess?.[rejectedName] ?? 0)),
      message: typeof message === 'string' ? message.slice(0, longestMessage) : '',
    };
  } catch {
    return wholeSuccess;
  }
}

function readProtobuf(body: Buffer): PartialSuccess {
  let [rejected, message] = [0, ''];
  try {
    for (const { field, kind, value } of firstFields(body)) {
      if (field !== 1 || kind !== 'bytes') continue;
      for (const inner of firstFields(value)) {
        if (inner.field === 1 && inner.kind === 'varint') rejected = countOf(Number(BigInt.asIntN(64, inner.value)));
        else if (inner.field === 2 && inner.kind === 'bytes') message = shorten(inner.value);
      }
    }
    return { rejected, message };
  } catch (error) {
    if (!(error instanceof ProtobufFault)) throw error;
    return wholeSuccess;
  }
}

/** Millions of small fields would hold up everything else. */
function* firstFields(message: Buffer): Generator<ProtobufField> {
  let left = mostFields;
  for (const field of protobufFields(message)) {
    if (left-- === 0) return;
    yield field;
  }
}

function countOf(number: number): number {
  return number > 0 ? Math.min(number, Number.MAX_SAFE_INTEGER) : 0;
}

/** A character takes at most four bytes. */
function shorten(text: Buffer): string {
  return text
    .subarray(0, 4 * longestMessage)
    .toString()
    .slice(0, longestMessage);
}
