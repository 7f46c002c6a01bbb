import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { deliverySchema } from '../../../../src/logs/delivery/index.ts';

const es = { kind: 'elasticsearch', endpoints: ['https://es:9200'] };

describe('the options of delivery', () => {
  it('need no more than an output', () => {
    expect(v.parse(deliverySchema, { output: { kind: 'stdout' } })).toMatchObject({
      batch: { max_bytes: 1024 * 1024, max_records: 5000, max_wait: 1000 },
      buffer: { kind: 'memory', max_bytes: 4 * 1024 * 1024 },
      retry: { base_interval: 1000, max_interval: 30_000, give_up_after: 0 },
      max_in_flight: 1,
    });
  });

  it.each([
    ['no output', {}, 'output'],
    ['an unknown output', { output: { kind: 'kafka' } }, 'must have a kind: elasticsearch'],
    ['neither index nor data stream', { output: es }, 'must have data_stream or index'],
    ['both', { output: { ...es, index: 'a', data_stream: 'b' } }, 'must have data_stream or index'],
    ['an index in capitals', { output: { ...es, index: 'App' } }, 'must be lower-case'],
    ['a date that is not one', { output: { ...es, index: 'app-%j' } }, 'must be lower-case'],
    ['no URL', { output: { kind: 'http', endpoints: ['es:9200'] } }, 'must be a URL'],
    ['a password in a URL', { output: { kind: 'http', endpoints: ['http://a:b@c'] } }, 'write them under auth'],
    ['no endpoint', { output: { kind: 'http', endpoints: [] } }, 'at least one URL'],
    [
      'a header of ours',
      { output: { kind: 'http', endpoints: ['http://a'], headers: { 'Content-Length': '1' } } },
      'is set by Portico itself',
    ],
    [
      'two tokens',
      { output: { kind: 'http', endpoints: ['http://a'], auth: { kind: 'bearer', token: 'a', token_file: '/b' } } },
      'must have token_file or token, and not both',
    ],
    [
      'a label that is none',
      { output: { kind: 'loki', endpoints: ['http://a'], labels: { 'a-b': 'x' } } },
      'must be a label name',
    ],
    [
      'a small disk',
      { output: { kind: 'stdout' }, buffer: { kind: 'disk', path: '/b', max_bytes: 10 } },
      'must be at least 1MiB',
    ],
    ['no wait', { output: { kind: 'stdout' }, batch: { max_wait: 0 } }, 'must be at least 1ms'],
  ])('are refused with %s', (_name, config, message) => {
    const { success, issues } = v.safeParse(deliverySchema, config);
    expect(success).toBe(false);
    expect(issues!.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`).join('\n')).toContain(message);
  });
});
