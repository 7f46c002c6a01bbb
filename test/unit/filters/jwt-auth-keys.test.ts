import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type * as v from 'valibot';
import jwtAuth from '../../../filters/jwt-auth.ts';
import { fetchForReal, makeExchange, startFilter } from '../../support/filter-harness.ts';
import { issue, makeKey, startIdentityProvider, type SigningKey } from '../../support/identity-provider.ts';

type Remote = NonNullable<v.InferInput<NonNullable<typeof jwtAuth.config>>['providers'][string]['remote_jwks']>;

const k1 = makeKey('ES256', 'k1');
const k2 = makeKey('ES256', 'k2');
const second = 1000;
const minute = 60 * second;

/** A filter before an issuer on loopback; time stands still unless the test moves it. */
async function start(published: SigningKey[] = [k1], remote: Partial<Remote> = {}) {
  const idp = await startIdentityProvider(...published);
  let running = 0;
  const filter = await startFilter(
    jwtAuth,
    {
      providers: { main: { remote_jwks: { uri: idp.uri, ...remote } } },
      rules: [{ match: { prefix: '/' }, requires: 'main' }],
    },
    {
      async fetch(url, options) {
        running++;
        try {
          return await fetchForReal(url, options);
        } finally {
          running--;
        }
      },
    },
  );
  onTestFinished(async () => {
    await filter.close();
    await idp.close();
  });
  let serial = 0;
  /** No fetch is under way, and what came of the last one is known. */
  const settled = async () => {
    await vi.waitFor(() => expect(running).toBe(0), { interval: 5 });
    for (let round = 0; round < 20; round++) await turn();
  };
  const token = (key: SigningKey, header?: Record<string, unknown>) =>
    issue(key, { exp: filter.clock.now() / 1000 + 86_400, jti: serial++ }, header);
  const send = async (text: string) => {
    const reply = await filter.request(makeExchange({ headers: { authorization: `Bearer ${text}` } }));
    return reply === undefined ? 200 : reply.status;
  };
  return {
    idp,
    filter,
    token,
    send,
    reply: (text: string) => filter.request(makeExchange({ headers: { authorization: `Bearer ${text}` } })),
    settled,
    /** Lets time pass; fetches that fall due are over afterwards. */
    pass: async (milliseconds: number, step = second / 2) => {
      for (let left = milliseconds; left > 0; left -= step) {
        filter.clock.advance(Math.min(step, left));
        await settled();
      }
    },
  };
}

describe('keys that jwt-auth fetches', () => {
  it('JK01: 200 requests at a cold start share one fetch and all pass', async () => {
    const { idp, token, send } = await start();
    const statuses = await Promise.all(Array.from({ length: 200 }, () => send(token(k1))));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(idp.fetches).toBe(1);
  });

  it('are there before the first request, which then does not wait for a fetch', async () => {
    const { idp, token, send, settled } = await start();
    await settled();
    expect(idp.fetches).toBe(1);
    expect(await send(token(k1))).toBe(200);
    expect(idp.fetches).toBe(1);
  });

  it('JK02: 500 tokens with made-up key names cause one fetch per cool-down, and good tokens do not wait', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    const outcomes = Array.from({ length: 500 }, (_, i) => send(token(k1, { kid: `made-up-${i}` })));
    expect(await send(token(k1))).toBe(200);
    expect(idp.fetches).toBe(1);
    filter.clock.advance(2 * second);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set([401]));
    expect(idp.fetches).toBe(2);
  });

  it('JK02: no more than 1000 requests wait for unknown keys; the others are refused at once', async () => {
    const { filter, token, send, settled } = await start();
    await settled();
    let done = 0;
    const outcomes = Array.from({ length: 1200 }, (_, i) =>
      send(token(k1, { kid: `made-up-${i}` })).then((status) => (done++, status)),
    );
    await vi.waitFor(() => expect(done).toBe(200));
    filter.clock.advance(2 * second);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set([401]));
    expect(done).toBe(1200);
  });

  const illnesses: [
    what: string,
    uriOr: (idp: Awaited<ReturnType<typeof startIdentityProvider>>) => void,
    remote: Partial<Remote>,
  ][] = [
    ['answers 500', (idp) => idp.answer((_, response) => response.writeHead(500).end()), {}],
    ['closes the connection', (idp) => idp.answer((_, response) => response.destroy()), {}],
    ['hangs', (idp) => idp.answer(() => {}), { timeout: '50ms' }],
  ];
  it.each(illnesses)(
    'JK03: while an issuer %s from the start, requests get 503 and fetches back off',
    async (_what, fall, remote) => {
      const idp = await startIdentityProvider();
      fall(idp);
      const filter = await startFilter(jwtAuth, {
        providers: { main: { remote_jwks: { uri: idp.uri, ...remote } } },
        rules: [{ match: { prefix: '/' }, requires: 'main' }],
      });
      onTestFinished(async () => {
        await filter.close();
        await idp.close();
      });
      const token = issue(k1, { exp: Date.now() / 1000 + 3600 });
      const ask = () => filter.request(makeExchange({ headers: { authorization: `Bearer ${token}` } }));
      for (let request = 0; request < 50; request++) {
        const reply = (await ask())!;
        expect(reply.status).toBe(503);
        expect(reply.local).toEqual({ details: 'jwt_jwks_unavailable', flag: 'UAEX' });
        expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
        expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(30);
      }
      expect(idp.fetches).toBe(1);
      expect(filter.stats).toMatchObject({ denied: 50, unavailable: 50, jwks_fetches: 1, jwks_fetch_failures: 1 });
      // 1 s, 2 s, 4 s, 8 s, 16 s, 30 s, 30 s … each up to half as long again, but never beyond 30 s.
      let before = 0;
      for (let second = 0; second < 300; second++) {
        filter.clock.advance(1000);
        if (filter.stats.jwks_fetches === before) continue;
        before = filter.stats.jwks_fetches;
        await vi.waitFor(() => expect(filter.stats.jwks_fetch_failures).toBe(before), { interval: 5 });
      }
      expect(idp.fetches).toBeGreaterThanOrEqual(11);
      expect(idp.fetches).toBeLessThanOrEqual(15);
      idp.publish(k1);
      filter.clock.advance(30 * 1000);
      await vi.waitFor(async () => expect(await ask()).toBeUndefined());
    },
  );

  it('JK03: nobody waits for a second try that hangs', async () => {
    const { idp, filter, token, reply, settled } = await start([], { timeout: '60s' });
    idp.answer((_, response) => response.writeHead(500).end());
    await settled();
    idp.answer(() => {});
    filter.clock.advance(1.5 * second);
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    const answer = await Promise.race([reply(token(k1)), turn('waits').then(() => turn('waits'))]);
    expect(answer).toMatchObject({ status: 503, local: { details: 'jwt_jwks_unavailable' } });
  });

  it('a malformed token is refused with 401 even while there are no keys', async () => {
    const { idp, send, settled } = await start();
    idp.answer((_, response) => response.writeHead(500).end());
    await settled();
    expect(await send('junk')).toBe(401);
  });

  it('JK04: old keys serve on while the issuer is ill, for as long as configured and no longer', async () => {
    const { idp, filter, token, send, pass, settled } = await start([k1], { cache_duration: '1m', stale_for: '10m' });
    await settled();
    const known = token(k1);
    expect(await send(known)).toBe(200);
    idp.answer((_, response) => response.writeHead(500).end());
    await pass(2 * minute, 5 * second);
    expect(await send(known)).toBe(200);
    expect(await send(token(k1))).toBe(200);
    expect(filter.stats.jwks_stale).toBe(1);
    expect(filter.stats.jwks_fetch_failures).toBeGreaterThan(2);
    await pass(9 * minute - second, 10 * second);
    expect(await send(token(k1))).toBe(200);
    await pass(2 * second);
    expect(await send(token(k1))).toBe(503);
    expect(await send(known), 'a remembered token is as old as its key').toBe(503);
    expect(filter.stats.jwks_stale).toBe(0);
    idp.publish(k1);
    await pass(30 * second, 5 * second);
    expect(await send(known)).toBe(200);
    expect(filter.stats.jwks_stale).toBe(0);
  });

  it('JK04: nobody waits for an issuer that hangs when keys grow old', async () => {
    const { idp, filter, token, settled, reply } = await start([k1], { cache_duration: '1m' });
    await settled();
    idp.answer(() => {});
    filter.clock.advance(2 * minute);
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    const began = performance.now();
    expect(await reply(token(k1))).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('are fetched again in the background before they are old', async () => {
    const { idp, filter, token, send, settled } = await start([k1], { cache_duration: '10m' });
    await settled();
    filter.clock.advance(7.9 * minute);
    await settled();
    expect(idp.fetches).toBe(1);
    filter.clock.advance(1.2 * minute);
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    await settled();
    expect(await send(token(k1))).toBe(200);
    expect(filter.stats).toMatchObject({ jwks_fetches: 2, jwks_fetch_failures: 0, jwks_stale: 0 });
  });

  const poison: [what: string, spoil: (idp: Awaited<ReturnType<typeof startIdentityProvider>>) => void][] = [
    ['no keys', (idp) => idp.publish()],
    [
      'a web page',
      (idp) => idp.answer((_, response) => response.setHeader('content-type', 'text/html').end('<html></html>')),
    ],
    [
      'a redirect',
      (idp) => idp.answer((_, response) => response.writeHead(302, { location: `${idp.uri}/other` }).end()),
    ],
    ['204', (idp) => idp.answer((_, response) => response.writeHead(204).end())],
    ['10 MB', (idp) => idp.answer((_, response) => response.end(Buffer.alloc(10 * 1024 * 1024, 0x20)))],
    ['1000 keys', (idp) => idp.publish(...Array.from({ length: 1000 }, (_, i) => ({ ...k2.publicJwk, kid: `k${i}` })))],
    ['one name for two keys', (idp) => idp.publish(k1, { ...k2.publicJwk, kid: 'k1' })],
    ['a private key', (idp) => idp.publish(k1, k2.privateJwk)],
    ['a secret', (idp) => idp.publish(k1, { kty: 'oct', kid: 's', k: 'A'.repeat(43) })],
    ['encryption keys only', (idp) => idp.publish({ ...k1.publicJwk, use: 'enc' })],
    ['weak keys only', (idp) => idp.publish(makeKey('RS256', 'weak', 1024))],
    [
      'members twice',
      (idp) => idp.answer((_, response) => response.end(`{"keys":[],"keys":[${JSON.stringify(k1.publicJwk)}]}`)),
    ],
    ['a list', (idp) => idp.answer((_, response) => response.end('[]'))],
    ['keys that are no objects', (idp) => idp.answer((_, response) => response.end('{"keys":[null]}'))],
  ];
  it.each(poison)('JK05: a refresh that gives %s leaves the keys as they were', async (_what, spoil) => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    const known = token(k1);
    expect(await send(known)).toBe(200);
    spoil(idp);
    filter.clock.advance(9.5 * minute);
    await vi.waitFor(() => expect(filter.stats.jwks_fetch_failures).toBe(1));
    expect(await send(token(k1))).toBe(200);
    expect(await send(known)).toBe(200);
    expect(filter.log.some((line) => line.level === 'warn' && line.message.includes(idp.uri))).toBe(true);
  });

  it('JK05: keys that cannot be used are left out of a set that has good ones', async () => {
    const { idp, filter, token, send } = await start();
    idp.publish(
      makeKey('RS256', 'weak', 1024),
      { ...k2.publicJwk, use: 'enc' },
      { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' },
      k1,
    );
    expect(await send(token(k1))).toBe(200);
    expect(filter.stats.jwks_fetch_failures).toBe(0);
  });

  it('JK06: a new key works at once, with one fetch for all who come with it', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    filter.clock.advance(3 * second);
    idp.publish(k1, k2);
    const statuses = await Promise.all(Array.from({ length: 50 }, (_, i) => send(token(i % 2 === 0 ? k1 : k2))));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(idp.fetches).toBe(2);
  });

  it('JK06: within the cool-down, tokens by a new key wait instead of being refused', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    filter.clock.advance(second / 2);
    idp.publish(k1, k2);
    const waiting = send(token(k2));
    await turn();
    expect(idp.fetches).toBe(1);
    filter.clock.advance(1.5 * second);
    expect(await waiting).toBe(200);
    expect(idp.fetches).toBe(2);
  });

  it('JK06: a fetch that was under way when the key was published is not the last word', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    filter.clock.advance(3 * second);
    let answerLate = () => {};
    idp.answer((_, response) => {
      answerLate = () => response.end(JSON.stringify({ keys: [k1.publicJwk] }));
    });
    const stranger = send(token(k1, { kid: 'stranger' }));
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    filter.clock.advance(1);
    idp.publish(k1, k2);
    const rotated = send(token(k2));
    await turn();
    answerLate();
    expect(await stranger).toBe(401);
    await settled();
    filter.clock.advance(2 * second);
    expect(await rotated).toBe(200);
    expect(idp.fetches).toBe(3);
  });

  it('JK07: tokens by a withdrawn key are refused after the next refresh, remembered or not', async () => {
    const { idp, filter, token, send, settled } = await start([k1, k2]);
    await settled();
    const [known, other] = [token(k1), token(k2)];
    expect(await send(known)).toBe(200);
    expect(await send(other)).toBe(200);
    idp.publish(k2);
    filter.clock.advance(9.5 * minute);
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    await settled();
    const refused = send(known);
    filter.clock.advance(2 * second);
    expect(await refused).toBe(401);
    const hits = filter.stats.cache_hits;
    expect(await send(other)).toBe(200);
    expect(filter.stats.cache_hits, 'tokens by keys that stayed are still remembered').toBe(hits + 1);
  });

  it('JK08: a name that goes to another key takes nothing along', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    const known = token(k1);
    expect(await send(known)).toBe(200);
    const successor = makeKey('ES256', 'k1');
    idp.publish(successor);
    filter.clock.advance(9.5 * minute);
    await vi.waitFor(() => expect(idp.fetches).toBe(2));
    await settled();
    expect(await send(known)).toBe(401);
    expect(await send(token(successor))).toBe(200);
  });

  it('JK09: closing lets waiting requests finish and leaves no timer behind', async () => {
    const { idp, filter, token, send } = await start();
    idp.answer(() => {});
    const waiting = Promise.all(Array.from({ length: 100 }, () => send(token(k1))));
    await vi.waitFor(() => expect(idp.fetches).toBe(1));
    await filter.close();
    expect(new Set(await waiting)).toEqual(new Set([503]));
    await turn();
    expect(filter.clock.pending).toBe(0);
  });

  it('JK10: a jump of the wall clock neither fetches nor forgets', async () => {
    const { idp, filter, token, send, settled } = await start();
    await settled();
    const known = token(k1);
    expect(await send(known)).toBe(200);
    for (const jump of [3_600_000, -7_200_000, 3_600_000]) {
      filter.clock.jump(jump);
      expect(await send(known)).toBe(200);
    }
    expect(idp.fetches).toBe(1);
  });

  it('when any of two issuers will do and one is out of reach, a good token of the other passes and a doubtful one gets 503', async () => {
    const down = await startIdentityProvider();
    const up = await startIdentityProvider(k1);
    down.answer((_, response) => response.destroy());
    const filter = await startFilter(jwtAuth, {
      providers: { down: { remote_jwks: { uri: down.uri } }, up: { remote_jwks: { uri: up.uri } } },
      rules: [{ match: { prefix: '/' }, requires_any: ['down', 'up'] }],
    });
    onTestFinished(async () => {
      await filter.close();
      await down.close();
      await up.close();
    });
    const status = async (token: string) =>
      (await filter.request(makeExchange({ headers: { authorization: `Bearer ${token}` } })))?.status;
    const exp = Date.now() / 1000 + 3600;
    expect(await status(issue(k1, { exp }))).toBeUndefined();
    const doubtful = status(issue(k2, { exp }));
    await turn();
    filter.clock.advance(2 * second);
    expect(await doubtful).toBe(503);
  });
});
