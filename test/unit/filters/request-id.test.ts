import { describe, expect, it } from 'vitest';
import filter, { requestId } from '../../../filters/request-id.ts';
import { Headers, noBody } from '../../../src/http/index.ts';
import { makeExchange, startFilter } from '../../support/filter-harness.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('request-id', () => {
  it('gives a request without an id a new one, as a note too, and echoes it in the response', async () => {
    const { hooks, stats, ...started } = await startFilter(filter, {});
    const exchange = makeExchange();
    await started.request(exchange);
    const id = exchange.request.headers.get('x-request-id')!;
    expect(id).toMatch(uuid);
    expect(exchange.get(requestId)).toBe(id);
    const response = { status: 200, headers: Headers.of({ 'x-request-id': ['of the app', 'twice'] }), body: noBody };
    await hooks.onResponse!(response, exchange);
    expect(response.headers.getAll('x-request-id')).toEqual([id]);
    expect(stats).toEqual({ generated: 1, preserved: 0, replaced: 0 });
  });

  it('gives every request another one', async () => {
    const started = await startFilter(filter, {});
    const ids = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const exchange = makeExchange();
      await started.request(exchange);
      ids.add(exchange.get(requestId)!);
    }
    expect(ids.size).toBe(1000);
  });

  it.each([
    ['overwrites what a client sends', {}, '10.1.1.1', ['abc'], false],
    ['keeps it when told to', { preserve_external: true }, '10.1.1.1', ['abc'], true],
    ['keeps it from a trusted network', { trusted_networks: ['10.0.0.0/8', '::1'] }, '10.1.1.1', ['abc'], true],
    [
      'keeps it from a trusted network over a dual-stack socket',
      { trusted_networks: ['10.0.0.0/8'] },
      '::ffff:10.1.1.1',
      ['abc'],
      true,
    ],
    ['overwrites it from elsewhere', { trusted_networks: ['10.0.0.0/8'] }, '11.1.1.1', ['abc'], false],
    ['overwrites two ids', { preserve_external: true }, '10.1.1.1', ['abc', 'def'], false],
    ['overwrites an empty id', { preserve_external: true }, '10.1.1.1', [''], false],
    ['overwrites an id with spaces', { preserve_external: true }, '10.1.1.1', ['a b'], false],
    ['overwrites an id with quotes', { preserve_external: true }, '10.1.1.1', ['a"b'], false],
    ['overwrites an id with a line end', { preserve_external: true }, '10.1.1.1', ['a\n'], false],
    ['overwrites an id of 129 characters', { preserve_external: true }, '10.1.1.1', ['a'.repeat(129)], false],
    ['keeps an id of 128 characters', { preserve_external: true }, '10.1.1.1', ['a'.repeat(128)], true],
  ])('%s', async (_, config, remoteAddress, sent, kept) => {
    const { stats, ...started } = await startFilter(filter, config);
    const exchange = makeExchange({ headers: { 'X-Request-Id': sent }, downstream: { remoteAddress } });
    await started.request(exchange);
    const id = exchange.request.headers.get('x-request-id');
    if (kept) expect(id).toBe(sent[0]);
    else expect(id).toMatch(uuid);
    expect(exchange.get(requestId)).toBe(id);
    expect(stats).toEqual({ generated: 0, preserved: kept ? 1 : 0, replaced: kept ? 0 : 1 });
  });

  it('trusts the connection, not what x-forwarded-for says', async () => {
    const started = await startFilter(filter, { trusted_networks: ['10.0.0.0/8'] });
    const exchange = makeExchange({ headers: { 'x-request-id': 'abc' }, downstream: { remoteAddress: '11.1.1.1' } });
    exchange.clientAddress = '10.1.1.1';
    await started.request(exchange);
    expect(exchange.get(requestId)).toMatch(uuid);
  });

  it('says nothing in the response when told so', async () => {
    const { hooks } = await startFilter(filter, { set_in_response: false });
    expect('onResponse' in hooks).toBe(false);
  });
});
