import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { deliverySchema, type DeliveryConfig } from '../../../../src/logs/delivery/index.ts';
import { otlpHttp } from '../../../../src/logs/delivery/outputs/otlp-http.ts';
import { AnswerBody } from '../../../../src/logs/delivery/transport/answer-body.ts';
import type { LogRecord } from '../../../../src/logs/record.ts';
import { makeRecords } from '../../../support/delivery-harness.ts';
import { decodeOtlp, encodeAnswer } from '../../../support/otlp-decoder.ts';

function format(options: Record<string, unknown> = {}) {
  const { output } = v.parse(deliverySchema, {
    output: { kind: 'otlp_http', endpoints: ['http://collector'], ...options },
  });
  return otlpHttp(output as Extract<DeliveryConfig['output'], { kind: 'otlp_http' }>);
}

const [plain] = makeRecords(1) as [LogRecord];
const withFields = (fields: Record<string, unknown>, more: Partial<LogRecord> = {}): LogRecord => ({
  ...plain,
  fields,
  ...more,
});
const inProtobuf = (records: readonly LogRecord[], options: Record<string, unknown> = {}) =>
  decodeOtlp('ExportLogsServiceRequest', format(options).encode(records));
const inJson = (records: readonly LogRecord[], options: Record<string, unknown> = {}) =>
  JSON.parse(
    format({ encoding: 'json', ...options })
      .encode(records)
      .toString(),
  ) as unknown;

describe('OTLP logs', () => {
  it.each([
    ['protobuf', {}, 'application/x-protobuf'],
    ['JSON', { encoding: 'json' }, 'application/json'],
  ])('name their encoding: %s', (_name, options, type) => {
    expect(format(options).headers).toEqual({ 'content-type': type });
  });

  it('are in protobuf what the specification says', () => {
    const fields = {
      message: 'paid',
      level: 'warn',
      trace_id: '0AF7651916CD43DD8448EB211C80319C',
      span_id: 'b7ad6b7169203331',
      trace_flags: 1,
      service: { name: 'shop' },
      amount: 12,
    };
    expect(
      inProtobuf([withFields(fields, { time: 1_700_000_000_123, nanos: 4567 })], { resource: { env: 'test' } }),
    ).toEqual({
      resourceLogs: [
        {
          resource: {
            attributes: [
              { key: 'service.name', value: { stringValue: 'shop' } },
              { key: 'env', value: { stringValue: 'test' } },
            ],
          },
          scopeLogs: [
            {
              scope: { name: 'portico' },
              logRecords: [
                {
                  timeUnixNano: '1700000000123004567',
                  observedTimeUnixNano: '1700000000123004567',
                  severityNumber: 13,
                  severityText: 'warn',
                  body: { stringValue: 'paid' },
                  attributes: [
                    { key: 'level', value: { stringValue: 'warn' } },
                    { key: 'amount', value: { intValue: '12' } },
                  ],
                  traceId: '0af7651916cd43dd8448eb211c80319c',
                  spanId: 'b7ad6b7169203331',
                  flags: 1,
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it.each<[what: string, records: LogRecord[]]>([
    ['many records of two resources', [...makeRecords(500), withFields({ message: 'x', k8s: { pod: { name: 'a' } } })]],
    ['text beyond ASCII and halves of characters', [withFields({ message: 'grüße 🚀', lone: 'a\ud800b', '': '' })]],
    ['text longer than any length of one, two or three bytes', [withFields({ a: 'x'.repeat(127), b: 'x'.repeat(128), c: 'x'.repeat(16_384), d: 'ü'.repeat(2 ** 20) })]], // prettier-ignore
    ['integers', [withFields({ zero: 0, minus: -1, big: 2 ** 53 - 1, least: -(2 ** 53) + 1, beyond: 2 ** 60 })]],
    ['fractions', [withFields({ half: 0.5, tiny: 5e-324, huge: 1.7e308, not: NaN, most: Infinity, least: -Infinity })]],
    ['truths', [withFields({ yes: true, no: false })]],
    ['lists and objects', [withFields({ list: [1, 'two', [3.5, { four: [] }], {}], object: { a: { b: { c: null } } } })]], // prettier-ignore
    ['bodies that are no text', [withFields({ message: { a: 1 } }), withFields({ message: 7 }), withFields({})]],
    ['ids that are none', [withFields({ trace_id: 'zz', span_id: '0000000000000000', trace_flags: 'x' })]],
    ['times before 1970 and beyond nanoseconds', [NaN, -5, 0, 1e14, 1e21].map((time) => withFields({}, { time }))],
  ])('say in protobuf what they say in JSON: %s', (_what, records) => {
    expect(inProtobuf(records)).toEqual(withoutDefaults(inJson(records)));
  });
});

/** Leaves out what protobuf does not tell from nothing; halves of characters are no UTF-8. */
function withoutDefaults(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name, inner]) => {
    if (name === 'values' || name === 'attributes') return (inner as unknown[]).length > 0;
    return !(name === 'key' && inner === '') && !(name.endsWith('UnixNano') && inner === '0');
  });
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutDefaults(inner)]));
}

describe('the answer of a receiver of OTLP', () => {
  const rejected = (body: Buffer, contentType?: string, options: Record<string, unknown> = {}) => {
    const outcome = format(options).judge(makeRecords(3), new AnswerBody(body, contentType, (text) => text));
    expect(outcome).toMatchObject({ kind: 'settled', again: [] });
    return outcome.kind === 'settled' ? outcome.rejected : [];
  };
  const partial = (rejectedLogRecords: number | string, errorMessage = '') =>
    encodeAnswer('ExportLogsServiceResponse', { partialSuccess: { rejectedLogRecords, errorMessage } });

  it.each<[what: string, body: Buffer, count: number]>([
    ['nothing', Buffer.alloc(0), 0],
    ['an empty message', encodeAnswer('ExportLogsServiceResponse', {}), 0],
    ['an empty partial success', encodeAnswer('ExportLogsServiceResponse', { partialSuccess: {} }), 0],
    ['a warning', partial(0, 'careful'), 0],
    ['one that is rejected', partial(1, 'bad'), 3],
    ['all that are rejected', partial(3), 3],
    ['more than there were', partial('9223372036854775807'), 3],
    ['less than none', partial(-1), 0],
    ['one behind more fields than are looked at', Buffer.concat([Buffer.alloc(200, Buffer.from('1001', 'hex')), partial(1)]), 0], // prettier-ignore
    ['one before very many fields', Buffer.concat([partial(1), Buffer.alloc(8_000_000, Buffer.from('1001', 'hex'))]), 3], // prettier-ignore
    ['text', Buffer.from('ok, thank you'), 0],
    ['a message that is cut off', partial(2, 'a long reason').subarray(0, -3), 0],
    ['a length beyond the end', Buffer.from('0affffffff7f', 'hex'), 0],
    ['a number that does not end', Buffer.from(`0a0d08${'ff'.repeat(12)}`, 'hex'), 0],
  ])('puts all aside or none, in protobuf: %s', (_what, body, count) => {
    expect(rejected(body)).toHaveLength(count);
  });

  it('gives the reason, which is bounded', () => {
    expect(rejected(partial(1, 'bad time'))[0]!.reason).toBe('1 of 3 records, it is not said which: bad time');
    expect(rejected(partial(3, 'ü'.repeat(100_000)))[0]!.reason).toBe('ü'.repeat(1000));
    expect(rejected(partial(3))[0]!.reason).toBe('no reason given');
  });

  it.each([
    ['JSON to protobuf', {}, 'application/json; charset=utf-8'],
    ['JSON to JSON', { encoding: 'json' }, undefined],
  ])('is read by what it says it is: %s', (_what, options, type) => {
    const body = Buffer.from('{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"bad"}}');
    expect(rejected(body, type, options)).toHaveLength(3);
  });

  it('is read as protobuf when it says so, whatever was sent', () => {
    expect(rejected(partial(1), 'application/x-protobuf', { encoding: 'json' })).toHaveLength(3);
  });

  it('never repeats our credentials', () => {
    const body = new AnswerBody(partial(3, 'token hunter2 is bad'), undefined, (text) =>
      text.replaceAll('hunter2', '…'),
    );
    expect(format().judge(makeRecords(3), body)).toMatchObject({ rejected: [{ reason: 'token … is bad' }, {}, {}] });
  });

  it('explains a failure with the message of its status', () => {
    const status = encodeAnswer('Status', { code: 3, message: 'no such tenant' });
    const explain = (bytes: Buffer, type?: string) => format().explain!(new AnswerBody(bytes, type, (text) => text));
    expect(explain(status, 'application/x-protobuf')).toBe('no such tenant');
    expect(explain(Buffer.from('{"message":"x"}'), 'application/json')).toBeUndefined();
    expect(explain(Buffer.from('Service Unavailable'))).toBeUndefined();
  });
});
