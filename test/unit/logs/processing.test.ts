import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { parserSchema } from '../../../src/logs/parse/config.ts';
import { compileProcessing } from '../../../src/logs/processing.ts';
import { processingSchema } from '../../../src/logs/processing-config.ts';
import type { RawRecord } from '../../../src/logs/record.ts';
import { PodMetadata, podSchema } from '../../../src/pod/index.ts';
import { Stats } from '../../../src/stats/index.ts';

type Options = v.InferInput<typeof processingSchema>;

const readAt = Date.UTC(2026, 10, 25, 12);

export function raw(text: string, more: Partial<RawRecord> = {}): RawRecord {
  const source = { key: 'k', path: '/var/log/app/app.log', input: 'app' };
  return { source, start: 10, end: 10 + text.length + 1, text, escaped: false, cut: 0, readAt, ...more };
}

async function processing(
  options: Options = {},
  { parser = { type: 'auto' }, environment = {}, random = () => 0.5 } = {},
) {
  const stats = new Stats();
  const pod = await PodMetadata.start(v.parse(podSchema, { labels_file: '/nowhere/labels' }), {
    environment,
    resolvePath: (path) => path,
  });
  const config = v.parse(processingSchema, options);
  const process = compileProcessing(config, [{ name: 'app', parser: v.parse(parserSchema, parser) }], {
    pod,
    stats,
    random,
  });
  pod.stop();
  return { process, stats };
}

/** Without what tells where a record comes from. */
const bare: Options = { enrich: { file_fields: false, pod_fields: 'none' } };

describe('a record', () => {
  it('has what was parsed, the pod, the file, and fixed fields', async () => {
    const environment = { POD_NAME: 'shop-1', POD_NAMESPACE: 'prod', NODE_NAME: 'n1' };
    const { process } = await processing({ enrich: { fields: { team: 'doors' } } }, { environment });
    expect(process(raw('{"time":"2026-11-25T11:00:00.5Z","level":"WARN","msg":"slow","took":7}'))).toEqual({
      ...{ source: expect.objectContaining({ input: 'app' }) as unknown, start: 10, end: 81 },
      ...{ time: Date.UTC(2026, 10, 25, 11, 0, 0, 500), nanos: 0 },
      fields: {
        level: 'warn',
        message: 'slow',
        took: 7,
        kubernetes: { pod: { name: 'shop-1' }, namespace: 'prod', node: { name: 'n1' } },
        team: 'doors',
        input: 'app',
        log: { file: { path: '/var/log/app/app.log' }, offset: 10 },
      },
    });
  });

  it('may tell the pod in single fields', async () => {
    const { process } = await processing(
      { enrich: { pod_fields: 'flat', file_fields: false } },
      { environment: { POD_NAME: 'a' } },
    );
    expect(process(raw('x'))!.fields).toEqual({ message: 'x', 'kubernetes.pod.name': 'a' });
  });

  it('that cannot be read is shipped as it is, with the reason', async () => {
    const { process, stats } = await processing(bare, { parser: { type: 'json' } });
    expect(process(raw('{"half'))!.fields).toEqual({ message: '{"half', parse_error: 'json: not JSON' });
    expect(await stats.render()).toContain('portico_logs_parse_failures_total{input="app"} 1');
  });

  it('says what was done to it while it was read', async () => {
    const { process } = await processing(bare);
    const { fields, time, nanos } = process(
      raw('a\\xffb', { escaped: true, cut: 7, cri: { time: '2026-11-25T10:00:00.000000123Z', stream: 'stderr' } }),
    )!;
    expect(fields).toEqual({ message: 'a\\xffb', stream: 'stderr', cut_bytes: 7, escaped: true });
    expect({ time, nanos }).toEqual({ time: Date.UTC(2026, 10, 25, 10), nanos: 123 });
  });

  it.each([
    ['a request id of another name', '{"reqId":"r1"}', { request_id: 'r1' }],
    ['one that lies deeper', '{"req":{"id":"r2"}}', { request_id: 'r2' }],
    ['a field whose name has a dot', '{"req.id":"r3"}', { request_id: 'r3' }],
    [
      'a traceparent',
      '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}',
      { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' },
    ],
    ['ids under the usual names', '{"trace_id":"t","span_id":"s"}', { trace_id: 't', span_id: 's' }],
    ['no id', '{"a":1}', {}],
  ])('joins others by %s', async (_, text, expected) => {
    const { process } = await processing(bare);
    const { request_id, trace_id, span_id } = process(raw(text))!.fields;
    expect(
      Object.fromEntries(Object.entries({ request_id, trace_id, span_id }).filter(([, id]) => id !== undefined)),
    ).toEqual(expected);
  });

  it.each([
    ['rename', { team: 'doors', app_team: 'theirs' }],
    ['keep', { team: 'theirs' }],
    ['override', { team: 'doors' }],
  ] as const)('whose field clashes with one that is added: %s', async (on_clash, expected) => {
    const { process } = await processing({ enrich: { ...bare.enrich, fields: { team: 'doors' }, on_clash } });
    expect(process(raw('{"team":"theirs"}'))!.fields).toEqual(expected);
  });

  it('is processed in a few microseconds', async () => {
    const { process } = await processing({}, { environment: { POD_NAME: 'shop-1', POD_NAMESPACE: 'prod' } });
    const line = raw(
      '{"time":"2026-11-25T11:00:00.123Z","level":"info","msg":"request handled","request_id":"7f3c","status":200,"path":"/api/items/1234567","took":12.5,"user":"u-12345"}',
    );
    for (let n = 0; n < 20_000; n++) process(line);
    const began = performance.now();
    for (let n = 0; n < 20_000; n++) process(line);
    // Twenty times what a quiet machine needs: this finds what has become quadratic, not what has become slower.
    expect((performance.now() - began) / 20_000).toBeLessThan(0.1);
  });
});

describe('rules', () => {
  const health = '{"path":"/health","status":200,"level":"info"}';
  it.each<[string, NonNullable<Options['rules']>, string, boolean]>([
    ['drop what they are for', [{ action: 'drop', when: [{ field: 'path', equals: '/health' }] }], health, false],
    ['leave alone what they are not for', [{ action: 'drop', when: [{ field: 'path', equals: '/' }] }], health, true],
    [
      'need all that they say',
      [
        {
          action: 'drop',
          when: [
            { field: 'path', prefix: '/h' },
            { field: 'status', at_least: 400 },
          ],
        },
      ],
      health,
      true,
    ],
    [
      'stop at the first',
      [{ action: 'keep', when: [{ field: 'status', in: [200] }] }, { action: 'drop' }],
      health,
      true,
    ],
    [
      'know levels',
      [{ action: 'keep', when: [{ field: 'level', level_at_least: 'warn' }] }, { action: 'drop' }],
      health,
      false,
    ],
    ['know what is not there', [{ action: 'drop', when: [{ field: 'user', exists: false }] }], health, false],
    ['match whole texts', [{ action: 'drop', when: [{ field: 'path', regex: '/h' }] }], health, true],
    ['read numbers in texts', [{ action: 'drop', when: [{ field: 'n', at_most: 5 }] }], '{"n":"4"}', false],
    ['compare with texts of numbers', [{ action: 'drop', when: [{ field: 'n', equals: 4 }] }], '{"n":"4"}', false],
    ['let a sample through', [{ action: 'sample', rate: 0.6 }], health, true],
    ['hold the rest of it back', [{ action: 'sample', rate: 0.4 }], health, false],
  ])('%s', async (_, rules, text, ships) => {
    const { process } = await processing({ ...bare, rules });
    expect(process(raw(text)) !== undefined).toBe(ships);
  });

  it('sample records of one key together, and about as many as they shall', async () => {
    const { process, stats } = await processing({
      ...bare,
      rules: [{ action: 'sample', rate: 0.25, key: 'trace_id', name: 'traces' }],
    });
    let shipped = 0;
    for (let trace = 0; trace < 2000; trace++) {
      const outcomes = [1, 2].map((n) => process(raw(`{"trace_id":"t${trace}","n":${n}}`)) !== undefined);
      expect(outcomes[0]).toBe(outcomes[1]);
      if (outcomes[0]) shipped++;
    }
    expect(shipped).toBeGreaterThan(400);
    expect(shipped).toBeLessThan(600);
    expect(await stats.render()).toContain(`portico_logs_rule_dropped_total{rule="traces"} ${(2000 - shipped) * 2}`);
  });
});

describe('redaction', () => {
  it.each<[string, NonNullable<Options['redact']>, string, unknown]>([
    [
      'by place',
      { fields: [{ path: 'user.password' }] },
      '{"user":{"password":"x","id":1}}',
      { user: { password: '[redacted]', id: 1 } },
    ],
    [
      'of all members',
      { fields: [{ path: 'cards.*.number', action: 'remove' }] },
      '{"cards":[{"number":1,"a":2},{"number":3}]}',
      { cards: [{ a: 2 }, {}] },
    ],
    ['of a place that is not there', { fields: [{ path: 'a.b.c' }] }, '{"a":1}', { a: 1 }],
    ['of e-mail addresses', { patterns: [{ pattern: 'email' }] }, '{"to":["bob@example.org"]}', { to: ['[redacted]'] }],
    [
      'of addresses, and of nothing like them',
      { patterns: [{ pattern: 'ipv4', with: 'IP' }] },
      '{"a":"from 10.0.0.1","v":"1.2.3.4.5 300.1.1.1"}',
      { a: 'from IP', v: '1.2.3.4.5 300.1.1.1' },
    ],
    [
      'of card numbers that pass the check',
      { patterns: [{ pattern: 'credit_card' }] },
      '{"a":"4111 1111 1111 1111","b":"4111111111111112","c":4111111111111111}',
      { a: '[redacted]', b: '4111111111111112', c: '[redacted]' },
    ],
    [
      'of bearer tokens',
      { patterns: [{ pattern: 'bearer' }] },
      '{"h":"Bearer abcdef123456"}',
      { h: 'Bearer [redacted]' },
    ],
    [
      'by a pattern of one’s own',
      { patterns: [{ pattern: 'sess-[0-9a-f]+', action: 'remove' }] },
      '{"m":"in sess-12ab out"}',
      { m: 'in  out' },
    ],
  ])('%s', async (_, redact, text, expected) => {
    const { process } = await processing({ ...bare, redact });
    expect(process(raw(text))!.fields).toEqual(expected);
  });

  it('by hash tells equal values, and needs a key', async () => {
    const redact: Options['redact'] = { fields: [{ path: 'u', action: 'hash' }], hash_secret: '0123456789abcdef' };
    const { process } = await processing({ ...bare, redact });
    const [a, b, c] = ['bob', 'bob', 'eve'].map((u) => process(raw(`{"u":"${u}"}`))!.fields['u']);
    expect(a).toMatch(/^sha256:[0-9a-f]{32}$/);
    expect([a === b, a === c]).toEqual([true, false]);
    await expect(processing({ redact: { fields: [{ path: 'u', action: 'hash' }] } })).rejects.toThrow(
      'hash needs hash_secret',
    );
  });

  it('finds what lies anywhere in a long text', async () => {
    const { process } = await processing(
      { ...bare, redact: { patterns: [{ pattern: 'key=\\w+' }] } },
      { parser: { type: 'none' } },
    );
    for (const at of [0, 3000, 3071, 3073, 4090, 4096, 9000]) {
      const text = `${'.'.repeat(at)}key=secret ${'.'.repeat(5000)}`;
      expect(process(raw(text))!.fields['message']).toBe(text.replace('key=secret', '[redacted]'));
    }
  });

  it('leaves alone what the sidecar adds by itself', async () => {
    const environment = { POD_IP: '10.0.0.1' };
    const { process } = await processing({ redact: { patterns: [{ pattern: 'ipv4' }] } }, { environment });
    const { fields } = process(raw('from 10.9.8.7'))!;
    expect(fields).toMatchObject({ message: 'from [redacted]', kubernetes: { pod: { ip: '10.0.0.1' } } });
  });
});
