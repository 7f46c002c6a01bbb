import { describe, expect, it } from 'vitest';
import { backoff, parseRetryAfter } from '../../../../src/logs/delivery/backoff.ts';
import { classify } from '../../../../src/logs/delivery/classify.ts';
import { documentId, documentOf, timestamp, unixNanos } from '../../../../src/logs/delivery/document.ts';
import { judgeBulk } from '../../../../src/logs/delivery/outputs/elasticsearch.ts';
import { judgePartial } from '../../../../src/logs/delivery/outputs/otlp-http.ts';
import { severityOf } from '../../../../src/logs/delivery/outputs/otlp-severity.ts';
import { recordSize } from '../../../../src/logs/delivery/record-size.ts';
import { makeRecords } from '../../../support/delivery-harness.ts';

describe('classify', () => {
  it.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [301, 'misconfigured'],
    [307, 'misconfigured'],
    [400, 'refused'],
    [401, 'credentials'],
    [402, 'misconfigured'],
    [403, 'credentials'],
    [404, 'misconfigured'],
    [405, 'misconfigured'],
    [407, 'credentials'],
    [408, 'busy'],
    [409, 'busy'],
    [413, 'split'],
    [415, 'misconfigured'],
    [422, 'refused'],
    [425, 'busy'],
    [429, 'busy'],
    [500, 'busy'],
    [501, 'misconfigured'],
    [502, 'busy'],
    [503, 'busy'],
    [504, 'busy'],
    [599, 'busy'],
  ])('says of %i: %s', (status, expected) => {
    const verdict = classify(status);
    expect(verdict.kind === 'retry' ? verdict.cause : verdict.kind).toBe(expected);
  });
});

describe('backoff', () => {
  it.each([
    ['none at best', 1, 0, 0, 0],
    ['half of the base', 1, 0.5, 0, 500],
    ['doubles', 3, 0.5, 0, 2000],
    ['no more than the maximum', 50, 0.999999, 0, 30_000],
    ['at least what the store asks for', 1, 0, 7000, 7000],
    ['what the store asks for, within bounds', 1, 0, 1e9, 300_000],
  ])('is %s', (_name, failures, random, retryAfter, expected) => {
    expect(backoff(failures, { base: 1000, max: 30_000 }, random, retryAfter)).toBe(expected);
  });

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 5000],
    ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['1e9', undefined],
    [undefined, undefined],
  ])('reads Retry-After %j as %j', (text, expected) => {
    expect(parseRetryAfter(text, 5000)).toBe(expected);
  });
});

describe('judgeBulk', () => {
  const item = (status: number, type?: string) => ({
    create: { status, ...(type !== undefined && { error: { type, reason: 'why' } }) },
  });
  const judge = (...items: unknown[]) => judgeBulk(items.length, JSON.stringify({ errors: true, items }));

  it.each([
    ['created', item(201), 'delivered'],
    ['updated', item(200), 'delivered'],
    ['there already', item(409, 'version_conflict_engine_exception'), 'delivered'],
    ['queue full', item(429, 'es_rejected_execution_exception'), 'again'],
    ['shard away', item(503, 'unavailable_shards_exception'), 'again'],
    ['internal error', item(500, 'x'), 'again'],
    ['does not fit the mapping', item(400, 'mapper_parsing_exception'), 'rejected'],
    ['no such index', item(404, 'index_not_found_exception'), 'rejected'],
    ['frozen index', item(403, 'cluster_block_exception'), 'rejected'],
    ['no privilege', item(403, 'security_exception'), 'again'],
    ['no status', { create: {} }, 'again'],
    ['nothing', null, 'again'],
  ])('says of a record that is %s', (_name, entry, expected) => {
    const outcome = judge(item(201), entry);
    if (outcome.kind !== 'settled') throw new Error(outcome.kind);
    expect(outcome.again).toEqual(expected === 'again' ? [1] : []);
    expect(outcome.rejected.map(({ at }) => at)).toEqual(expected === 'rejected' ? [1] : []);
  });

  it.each([
    ['', 'not JSON'],
    ['null', 'no items'],
    ['{}', 'no items'],
    ['{"items":[]}', '0 items for 1'],
  ])('believes nothing that it does not understand: %j', (body, reason) => {
    expect(judgeBulk(1, body)).toMatchObject({
      kind: 'retry',
      cause: 'unclear',
      reason: expect.stringContaining(reason) as string,
    });
  });
});

describe('judgePartial', () => {
  it.each([
    [0, '', 0],
    [0, 'careful', 0],
    [1, 'bad', 3],
    [3, '', 3],
    [2 ** 53, '', 3],
  ])('of %i that are rejected because of %j puts aside %i', (rejected, message, expected) => {
    const outcome = judgePartial(3, rejected, message);
    expect(outcome).toMatchObject({ kind: 'settled', again: [] });
    expect(outcome.kind === 'settled' && outcome.rejected.length).toBe(expected);
  });
});

describe('severityOf', () => {
  it.each([
    [{ level: 'info' }, 9],
    [{ level: 'WARN' }, 13],
    [{ severity: 'Error' }, 17],
    [{ 'log.level': 'fatal' }, 21],
    [{ level: 30 }, 9],
    [{ level: 60 }, 21],
    [{ level: 35 }, undefined],
    [{ level: 'constructor' }, undefined],
    [{}, undefined],
  ])('of %j is %j', (fields, expected) => {
    expect(severityOf(fields)?.number).toBe(expected);
  });
});

describe('a record', () => {
  const [record] = makeRecords(1) as [ReturnType<typeof makeRecords>[number]];

  it('carries its time with nanoseconds where there are any', () => {
    expect(timestamp({ ...record, time: 1_700_000_000_123, nanos: 0 })).toBe('2023-11-14T22:13:20.123Z');
    expect(timestamp({ ...record, time: 1_700_000_000_123, nanos: 4567 })).toBe('2023-11-14T22:13:20.123004567Z');
    expect(unixNanos({ ...record, time: 1_700_000_000_123, nanos: 4567 })).toBe('1700000000123004567');
    for (const time of [NaN, -1, 1e13, 1e21]) expect(unixNanos({ ...record, time, nanos: 5 })).toBe('5');
    expect(timestamp({ ...record, time: NaN })).toBe('1970-01-01T00:00:00.000Z');
  });

  it('has @timestamp once, whatever its fields', () => {
    expect(documentOf({ ...record, fields: {} })).toMatch(/^\{"@timestamp":"[^"]+"\}$/);
    expect(documentOf({ ...record, fields: { '@timestamp': 'x', a: 1 } }).match(/@timestamp/g)).toHaveLength(1);
  });

  it('has an id that a store takes, however long the key of its source', () => {
    expect(documentId(record)).toBe('file-1-0');
    const long = documentId({ ...record, source: { ...record.source, key: 'k'.repeat(2000) } });
    expect(long.length).toBeLessThan(512);
  });

  it('is estimated near its size, and a deep or circular one is no trap', () => {
    const fields = { message: 'x'.repeat(1000), n: 1, inner: { a: ['b', 'c'] } };
    expect(recordSize({ ...record, fields })).toBeGreaterThan(1000);
    expect(recordSize({ ...record, fields })).toBeLessThan(1400);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(recordSize({ ...record, fields: circular })).toBeLessThan(1000);
  });
});
