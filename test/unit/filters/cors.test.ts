import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import filter from '../../../filters/cors.ts';
import { Headers, isLocalReply, noBody, type Response } from '../../../src/http/index.ts';
import { makeExchange, startFilter, type ExchangeOptions } from '../../support/filter-harness.ts';

type Config = v.InferInput<NonNullable<typeof filter.config>>;

const app = 'https://app.example';

/** Runs an exchange through the filter as the chain does; the app answers with the given headers unless the filter did. */
async function run(
  config: Config,
  options: ExchangeOptions,
  appHeaders: Record<string, string> = {},
): Promise<{ response: Response; headers: Record<string, string>; byApp: boolean }> {
  const { hooks, ...started } = await startFilter(filter, config);
  const exchange = makeExchange(options);
  const reply = await started.request(exchange);
  const response = reply ?? { status: 200, headers: Headers.of(appHeaders), body: noBody };
  // Somebody later in the chain may have edited the request.
  exchange.request.headers.delete('origin');
  await hooks.onResponse!(response, exchange);
  return { response, headers: Object.fromEntries(response.headers), byApp: reply === undefined };
}

function preflight(origin: string, method = 'PUT'): ExchangeOptions {
  return {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'x-a' },
  };
}

function faults(config: unknown): string[] {
  const result = v.safeParse(filter.config!, config);
  return (result.issues ?? []).map((issue) => `${v.getDotPath(issue) ?? ''}: ${issue.message}`);
}

describe('cors', () => {
  it('answers the preflight of an allowed origin itself', async () => {
    const { response, headers } = await run(
      {
        allow_origins: [app],
        allow_methods: ['GET', 'PUT'],
        allow_headers: ['x-a', 'x-b'],
        expose_headers: ['x-c'],
        max_age: '90s',
      },
      preflight(app),
    );
    expect(isLocalReply(response) && response.local.details).toBe('cors_preflight');
    expect(response.status).toBe(204);
    expect(response.body.length).toBe(0);
    expect(headers).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': app,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a, x-b',
      'access-control-max-age': '90',
    });
  });

  it('tells the origin in the answer of the app, in place of what the app says', async () => {
    const { headers, byApp } = await run(
      { allow_origins: [app], expose_headers: ['x-c', 'x-d'], allow_credentials: true },
      { headers: { origin: app } },
      { 'access-control-allow-origin': '*', 'Access-Control-Expose-Headers': '*', 'x-c': '1' },
    );
    expect(byApp).toBe(true);
    expect(headers).toEqual({
      'x-c': '1',
      vary: 'Origin',
      'access-control-allow-origin': app,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-c, x-d',
    });
  });

  it.each<[string, Config['allow_origins'], string, boolean]>([
    ['the same', [app], app, true],
    ['another', [app], 'https://other.example', false],
    ['another scheme', [app], 'http://app.example', false],
    ['another port', [app], 'https://app.example:8443', false],
    ['a longer name', [app], 'https://app.example.evil', false],
    ['written with default port and in capitals', ['HTTPS://App.Example:443'], app, true],
    ['an own port', ['http://localhost:3000'], 'http://localhost:3000', true],
    ['IPv6', ['http://[::1]:3000'], 'http://[::1]:3000', true],
    ['an extension', ['chrome-extension://abcdef'], 'chrome-extension://abcdef', true],
    ['null when written', ['null'], 'null', true],
    ['null when not', [app], 'null', false],
    ['below a domain', ['https://*.example.com'], 'https://a.example.com', true],
    ['far below a domain', ['https://*.example.com'], 'https://a.b-c.example.com', true],
    ['the domain itself', ['https://*.example.com'], 'https://example.com', false],
    ['a name that ends alike', ['https://*.example.com'], 'https://evilexample.com', false],
    ['below, with another port', ['https://*.example.com'], 'https://a.example.com:8443', false],
    ['below, with that port', ['https://*.example.com:8443'], 'https://a.example.com:8443', true],
    ['below, with a path in between', ['https://*.example.com'], 'https://evil.com/.example.com', false],
    ['below, with another host in between', ['https://*.example.com'], 'https://evil.com:1@a.example.com', false],
    ['below, with an empty label', ['https://*.example.com'], 'https://.example.com', false],
    ['a pattern', [{ safe_regex: 'https://pr-\\d+\\.example' }], 'https://pr-12.example', true],
    ['a pattern, only as a whole', [{ safe_regex: 'https://pr-\\d+\\.example' }], 'https://pr-12.example.evil', false],
    ['far too long', ['https://*.example.com'], `https://${'a'.repeat(600)}.example.com`, false],
  ])('compares origins: %s', async (_, allow_origins, origin, expected) => {
    const { headers } = await run({ allow_origins }, { headers: { origin } });
    expect(headers['access-control-allow-origin']).toBe(expected ? origin : undefined);
    expect(headers['vary']).toBe('Origin');
  });

  it('allows every origin without varying', async () => {
    const { headers } = await run({ allow_origins: ['*'] }, { headers: { origin: 'https://anybody.example' } });
    expect(headers).toEqual({ 'access-control-allow-origin': '*' });
  });

  it.each([
    ['Accept-Encoding', ['Accept-Encoding', 'Origin']],
    ['accept, ORIGIN', ['accept, ORIGIN']],
    ['*', ['*']],
    ['x-origin', ['x-origin', 'Origin']],
  ])('adds to Vary: %s', async (vary, expected) => {
    const { response } = await run({ allow_origins: [app] }, {}, { vary });
    expect(response.headers.getAll('vary')).toEqual(expected);
  });

  it('gives no CORS header to an origin that is not allowed, not even those of the app', async () => {
    const { headers, byApp } = await run(
      { allow_origins: [app] },
      { headers: { origin: 'https://evil.example' } },
      {
        'access-control-allow-origin': '*',
        'access-control-allow-credentials': 'true',
      },
    );
    expect(byApp).toBe(true);
    expect(headers).toEqual({ vary: 'Origin' });
  });

  it('forwards the preflight of another origin unless told otherwise', async () => {
    expect((await run({ allow_origins: [app] }, preflight('https://evil.example'))).byApp).toBe(true);
    const refused = await run(
      { allow_origins: [app], forward_not_matching_preflights: false },
      preflight('https://evil.example'),
    );
    expect(refused.response.status).toBe(403);
    expect(refused.headers).toEqual({ vary: 'Origin', 'content-type': 'text/plain; charset=utf-8' });
  });

  it.each<[string, ExchangeOptions]>([
    ['OPTIONS without a requested method', { method: 'OPTIONS', headers: { origin: app } }],
    ['OPTIONS without an origin', { method: 'OPTIONS', headers: { 'access-control-request-method': 'PUT' } }],
    ['another method', { method: 'GET', headers: { origin: app, 'access-control-request-method': 'PUT' } }],
  ])('takes for no preflight: %s', async (_, options) => {
    expect((await run({ allow_origins: [app] }, options)).byApp).toBe(true);
  });

  it('counts', async () => {
    const { stats, ...started } = await startFilter(filter, { allow_origins: [app] });
    await started.request(makeExchange());
    await started.request(makeExchange({ headers: { origin: app } }));
    await started.request(makeExchange(preflight(app)));
    await started.request(makeExchange(preflight('https://evil.example')));
    expect(stats).toEqual({ allowed: 1, preflights: 1, refused: 1 });
  });

  it.each<[unknown, string[]]>([
    [
      { allow_origins: ['*'], allow_credentials: true },
      [expect.stringContaining('allow_origins: * with allow_credentials')],
    ],
    [{ allow_origins: ['null'], allow_credentials: true }, [expect.stringContaining('null with allow_credentials')]],
    [
      { allow_origins: [app], allow_headers: ['*'], allow_credentials: true },
      [expect.stringContaining('allow_headers: browsers take * literally')],
    ],
    [{ allow_origins: [] }, ['allow_origins: must name at least one origin']],
    [{ allow_origins: ['app.example'] }, [expect.stringMatching(/^allow_origins\.0: must be an origin such as/)]],
    [{ allow_origins: ['https://app.example/'] }, [expect.stringContaining('without path')]],
    [{ allow_origins: ['https://*'] }, [expect.stringContaining('must be an origin')]],
    [{ allow_origins: ['https://a.*.com'] }, [expect.stringContaining('must be an origin')]],
    [{ allow_origins: [{ safe_regex: '(a+)+' }] }, [expect.stringContaining('could take exponential time')]],
    [{ allow_origins: [app], allow_methods: ['GE T'] }, ['allow_methods.0: must be a method or *, not "GE T"']],
  ])('refuses %j', (config, expected) => {
    expect(faults(config)).toEqual(expected);
  });
});
