import { describe, expect, it } from 'vitest';
import { FilterChain, type ChainLink } from '../../../src/filter/chain.ts';
import type { FilterHooks } from '../../../src/filter/define-filter.ts';
import { BytesBody, localReply, noBody, readAll, textBody, type LocalReply } from '../../../src/http/index.ts';
import { makeExchange } from '../../support/filter-harness.ts';

const failures: string[] = [];

function link(
  id: string,
  hooks: FilterHooks,
  shadow = false,
): ChainLink & { refused: LocalReply[]; failedHooks: string[] } {
  const refused: LocalReply[] = [];
  const failedHooks: string[] = [];
  return {
    id,
    hooks,
    shadow,
    refused,
    failedHooks,
    failed: (hook) => void failedHooks.push(hook),
    wouldRefuse: (reply) => void refused.push(reply),
  };
}

describe('a filter chain', () => {
  it('runs requests forwards and responses backwards', async () => {
    const seen: string[] = [];
    const named = (id: string) =>
      link(id, { onRequest: () => void seen.push(`>${id}`), onResponse: () => void seen.push(`<${id}`) });
    const chain = new FilterChain([named('a'), named('b')]);
    const progress = { reached: 0 };
    expect(chain.onRequest(makeExchange(), progress)).toBeUndefined();
    await chain.onResponse(localReply(200, 'ok'), makeExchange(), progress);
    expect(seen).toEqual(['>a', '>b', '<b', '<a']);
    expect(failures).toEqual([]);
  });

  it('stops at a refusal, and only the filters that were reached see the response', async () => {
    const seen: string[] = [];
    const refusal = localReply(403, 'no');
    const chain = new FilterChain([
      link('a', { onResponse: () => void seen.push('a') }),
      link('b', { onRequest: () => refusal, onResponse: () => void seen.push('b') }),
      link('c', { onRequest: () => void seen.push('never'), onResponse: () => void seen.push('never') }),
    ]);
    const progress = { reached: 0 };
    expect(chain.onRequest(makeExchange(), progress)).toBe(refusal);
    await chain.onResponse(refusal, makeExchange(), progress);
    expect(seen).toEqual(['b', 'a']);
  });

  it('stays synchronous as long as its filters do, and waits for those that do not', async () => {
    const progress = { reached: 0 };
    const sync = new FilterChain([link('a', { onRequest() {} })]);
    expect(sync.onRequest(makeExchange(), progress)).toBeUndefined();
    const refusal = localReply(401, 'no');
    const mixed = new FilterChain([
      link('a', { onRequest: async () => {} }),
      link('b', { onRequest: async () => refusal }),
    ]);
    const result = mixed.onRequest(makeExchange(), progress);
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(refusal);
  });

  it('lets a filter replace the response', async () => {
    const other = localReply(200, 'other');
    const chain = new FilterChain([link('a', { onResponse: async () => other })]);
    expect(await chain.onResponse(localReply(500, 'x'), makeExchange(), { reached: 1 })).toBe(other);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('bug');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bug'))],
  ])('answers 500 for the one exchange when a request hook %s', async (_, onRequest) => {
    const bad = link('bad', { onRequest });
    const reply = await new FilterChain([bad]).onRequest(makeExchange(), { reached: 0 });
    expect(reply?.status).toBe(500);
    expect(reply?.local.flag).toBe('FE');
    expect(bad.failedHooks).toEqual(['onRequest']);
  });

  it('answers 500 when a response hook throws, and still runs the filters before it', async () => {
    const seen: number[] = [];
    const bad = link('bad', {
      onResponse: () => {
        throw new Error('bug');
      },
    });
    const chain = new FilterChain([link('a', { onResponse: (response) => void seen.push(response.status) }), bad]);
    const response = await chain.onResponse(
      { status: 200, headers: localReply(200, '').headers, body: noBody },
      makeExchange(),
      { reached: 2 },
    );
    expect(response.status).toBe(500);
    expect(seen).toEqual([500]);
  });

  it.each([null, true, 'no', 403, {}, { status: 403 }])(
    'answers 500 when a hook returns %j, which is neither nothing nor an answer',
    async (nonsense) => {
      const bad = link('bad', { onRequest: () => nonsense as never, onResponse: async () => nonsense as never });
      const sync = link('sync', { onResponse: () => nonsense as never });
      const late = link('late', { onRequest: async () => nonsense as never });
      const progress = { reached: 0 };
      expect((await new FilterChain([bad]).onRequest(makeExchange(), progress))?.status).toBe(500);
      expect((await new FilterChain([late]).onRequest(makeExchange(), progress))?.status).toBe(500);
      for (const one of [bad, sync]) {
        const answer = await new FilterChain([one]).onResponse(localReply(200, 'x'), makeExchange(), { reached: 1 });
        expect(answer.status).toBe(500);
      }
      expect([bad.failedHooks, sync.failedHooks, late.failedHooks]).toEqual([
        ['onRequest', 'onResponse'],
        ['onResponse'],
        ['onRequest'],
      ]);
    },
  );

  it('does not let a refusal that is none pass because of shadow mode', () => {
    const shadow = link('s', { onRequest: () => 'no' as never }, true);
    expect(new FilterChain([shadow]).onRequest(makeExchange(), { reached: 0 })).toMatchObject({ status: 500 });
  });

  it('counts a refusal in shadow mode and goes on', () => {
    const shadow = link('s', { onRequest: () => localReply(403, 'no') }, true);
    expect(new FilterChain([shadow]).onRequest(makeExchange(), { reached: 0 })).toBeUndefined();
    expect(shadow.refused.map((reply) => reply.status)).toEqual([403]);
  });

  it('rewrites bodies in both directions', async () => {
    async function* shout(chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield Buffer.from(Buffer.from(chunk).toString().toUpperCase());
    }
    const chain = new FilterChain([
      link('a', { requestBody: shout, responseBody: shout }),
      link('b', { responseBody: () => {} }),
    ]);
    const exchange = makeExchange({ method: 'POST', body: new BytesBody(Buffer.from('in')) });
    const progress = { reached: 0 };
    void chain.onRequest(exchange, progress);
    expect(exchange.request.body.length).toBeUndefined();
    expect(Buffer.from(await readAll(exchange.request.body, 100)).toString()).toBe('IN');
    const response = await chain.onResponse(localReply(200, 'x', { body: textBody('out') }), exchange, progress);
    expect(Buffer.from(await readAll(response.body, 100)).toString()).toBe('OUT');
  });

  it('keeps going when a log hook throws', () => {
    const seen: string[] = [];
    const bad = link('bad', {
      onLog: () => {
        throw new Error('bug');
      },
    });
    new FilterChain([bad, link('b', { onLog: () => void seen.push('b') })]).onLog(makeExchange());
    expect([seen, bad.failedHooks]).toEqual([['b'], ['onLog']]);
  });
});
