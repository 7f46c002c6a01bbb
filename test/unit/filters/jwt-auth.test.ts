import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as v from 'valibot';
import jwtAuth, { jwtClaims } from '../../../filters/jwt-auth.ts';
import { jwtClaims as noteThatOthersRead } from '../../../filters/jwt-auth/claims-note.ts';
import { makeExchange, startFilter, type ExchangeOptions } from '../../support/filter-harness.ts';
import { issue, jwks, makeKey } from '../../support/identity-provider.ts';

const schema = jwtAuth.config!;
type Config = v.InferInput<typeof schema>;

const keyA = makeKey('ES256', 'a');
const keyB = makeKey('ES256', 'b');
const exp = Math.floor(Date.now() / 1000) + 3600;
const tokenA = issue(keyA, { iss: 'a', sub: 'ann', exp });
const tokenB = issue(keyB, { iss: 'b', sub: 'bob', exp });
const expiredB = issue(keyB, { iss: 'b', exp: 1 });
const providers: Config['providers'] = {
  a: {
    issuer: 'a',
    local_jwks: { inline: jwks(keyA) },
    claim_to_headers: [{ header_name: 'x-user', claim_name: 'sub' }],
  },
  b: {
    issuer: 'b',
    local_jwks: { inline: jwks(keyB) },
    claim_to_headers: [{ header_name: 'x-user', claim_name: 'sub' }],
  },
};

async function ask(rules: Config['rules'], options: ExchangeOptions, more: Partial<Config> = {}) {
  const filter = await startFilter(jwtAuth, { providers, rules, ...more });
  const exchange = makeExchange(options);
  const reply = await filter.request(exchange);
  return {
    filter,
    exchange,
    outcome: reply === undefined ? 'passes' : `${reply.status} ${reply.local.details}`,
    reply,
  };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('rules of jwt-auth', () => {
  const rules: Config['rules'] = [
    { match: { path: '/public/secret' }, requires: 'b' },
    { match: { prefix: '/public/' }, allow_missing: true },
    { match: { prefix: '/optional' }, requires: 'a', allow_missing: true },
    { match: { safe_regex: '/v\\d+/items' }, requires: 'b' },
    { match: { prefix: '/written', methods: ['post', 'PUT'] }, requires: 'a' },
    { match: { prefix: '/written' }, allow_missing: true },
    { match: { path_separated_prefix: '/below' }, requires_any: ['a', 'b'] },
  ];
  const missing = '401 jwt_authn_access_denied{token_missing}';
  const unknown = '401 jwt_authn_access_denied{key_unknown}';
  const none = '403 jwt_no_rule_matched';
  const cases: [what: string, request: ExchangeOptions, outcome: string][] = [
    ['everybody passes where no provider is required', { path: '/public/x' }, 'passes'],
    ['tokens are not looked at there', { path: '/public/x', headers: bearer('junk') }, 'passes'],
    ['the first rule that matches decides', { path: '/public/secret' }, missing],
    ['the query is no part of the path', { path: '/public/secret?x=/' }, missing],
    ['a required token', { path: '/public/secret', headers: bearer(tokenB) }, 'passes'],
    ['a token of another issuer', { path: '/public/secret', headers: bearer(tokenA) }, unknown],
    ['an optional token that is missing', { path: '/optional' }, 'passes'],
    ['an optional token that is good', { path: '/optional', headers: bearer(tokenA) }, 'passes'],
    [
      'an optional token that is bad',
      { path: '/optional', headers: bearer('junk') },
      '401 jwt_authn_access_denied{token_malformed}',
    ],
    ['a pattern', { path: '/v12/items', headers: bearer(tokenB) }, 'passes'],
    ['a pattern matches the whole path', { path: '/v12/items/1', headers: bearer(tokenB) }, none],
    ['a method that is listed', { path: '/written', method: 'POST' }, missing],
    ['a method that is not', { path: '/written', method: 'GET' }, 'passes'],
    ['any of several providers, the first', { path: '/below', headers: bearer(tokenA) }, 'passes'],
    ['any of several providers, the second', { path: '/below/x', headers: bearer(tokenB) }, 'passes'],
    [
      'any of several providers, none',
      { path: '/below/x', headers: bearer(issue(makeKey('ES256', 'c'), { exp })) },
      unknown,
    ],
    [
      'the refusal that tells most',
      { path: '/below', headers: bearer(expiredB) },
      '401 jwt_authn_access_denied{token_expired}',
    ],
    ['any of several providers, no token', { path: '/below' }, missing],
    ['a path that only begins alike', { path: '/belowx', headers: bearer(tokenA) }, none],
    ['no rule matches', { path: '/else', headers: bearer(tokenA) }, none],
    ['no path at all', { path: '*', method: 'OPTIONS' }, none],
  ];
  it.each(cases)('%s', async (_what, request, outcome) => {
    const answer = await ask(rules, request);
    expect(answer.outcome).toBe(outcome);
    expect(answer.reply?.local.flag).toBe(outcome === 'passes' ? undefined : 'UAEX');
  });

  it('removes claim headers of clients before any rule decides', async () => {
    for (const path of ['/public/x', '/optional', '/else']) {
      const { exchange } = await ask(rules, { path, headers: { 'X-User': 'root' } });
      expect(exchange.request.headers.has('x-user'), path).toBe(false);
    }
  });

  it('gives the claims to other filters, and counts', async () => {
    const accepted = await ask(rules, { path: '/optional', headers: bearer(tokenA) });
    expect(accepted.exchange.get(jwtClaims)).toMatchObject({ sub: 'ann' });
    expect(accepted.exchange.get(noteThatOthersRead)).toMatchObject({ sub: 'ann' });
    expect(accepted.exchange.request.headers.get('x-user')).toBe('ann');
    expect(accepted.filter.stats).toMatchObject({ allowed: 1, anonymous: 0, denied: 0 });
    expect((await ask(rules, { path: '/public/' })).filter.stats).toMatchObject({
      allowed: 0,
      anonymous: 1,
      denied: 0,
    });
    expect((await ask(rules, { path: '/below' })).filter.stats).toMatchObject({ allowed: 0, denied: 1, missing: 1 });
  });

  it('lets CORS preflights pass when told to', async () => {
    const preflight: ExchangeOptions = {
      method: 'OPTIONS',
      path: '/below',
      headers: { origin: 'https://a.test', 'access-control-request-method': 'PUT' },
    };
    expect((await ask(rules, preflight)).outcome).toBe(missing);
    expect((await ask(rules, preflight, { bypass_cors_preflight: true })).outcome).toBe('passes');
    const plain = { ...preflight, headers: { origin: 'https://a.test' } };
    expect((await ask(rules, plain, { bypass_cors_preflight: true })).outcome).toBe(missing);
  });

  it('names the realm that it was given', async () => {
    const { reply } = await ask(rules, { path: '/below' }, { realm: 'shop, inc' });
    expect(reply!.headers.get('www-authenticate')).toBe('Bearer realm="shop, inc"');
  });
});

describe('faults in the configuration of jwt-auth', () => {
  const all = { match: { prefix: '/' }, requires: 'a' };
  const main = providers['a']!;
  const issues = (config: unknown) => {
    const result = v.safeParse(schema, config);
    return (result.issues ?? []).map((one) => `${v.getDotPath(one) ?? ''}: ${one.message}`);
  };
  const faults: [what: string, config: unknown, fault: string][] = [
    ['no rules', { providers, rules: [] }, 'rules: must have a rule, else every request is refused'],
    [
      'an unknown provider',
      { providers: { main }, rules: [{ match: { prefix: '/' }, requires: 'mian' }] },
      'rules.0.requires: there is no provider named "mian"; did you mean main?',
    ],
    [
      'an unknown provider in a list',
      { providers, rules: [{ match: { prefix: '/' }, requires_any: ['a', 'zzz'] }] },
      'rules.0.requires_any.1: there is no provider named "zzz"',
    ],
    [
      'a rule that asks for nothing',
      { providers, rules: [{ match: { prefix: '/' } }] },
      'rules.0: must say what it asks for: requires, requires_any, or allow_missing: true to let everybody pass',
    ],
    [
      'a rule with two requirements',
      { providers, rules: [{ ...all, requires_any: ['b'] }] },
      'rules.0: give either requires or requires_any',
    ],
    [
      'a match by nothing',
      { providers, rules: [{ ...all, match: {} }] },
      'rules.0.match: needs exactly one of prefix, path_separated_prefix, path and safe_regex',
    ],
    [
      'a match by two things',
      { providers, rules: [{ ...all, match: { prefix: '/', path: '/' } }] },
      'rules.0.match: needs exactly one of prefix, path_separated_prefix, path and safe_regex',
    ],
    [
      'a prefix without slash',
      { providers, rules: [{ ...all, match: { prefix: 'api' } }] },
      'rules.0.match.prefix: must start with /',
    ],
    [
      'no keys',
      { providers: { a: {} }, rules: [all] },
      'providers.a: needs keys: give either local_jwks or remote_jwks',
    ],
    [
      'two places of keys',
      { providers: { a: { ...main, remote_jwks: { uri: 'http://x.test/' } } }, rules: [all] },
      'providers.a: needs keys: give either local_jwks or remote_jwks',
    ],
    [
      'local keys twice',
      { providers: { a: { local_jwks: { inline: '{}', filename: 'x' } } }, rules: [all] },
      'providers.a.local_jwks: give either inline or filename',
    ],
    [
      'a URL with a password',
      { providers: { a: { remote_jwks: { uri: 'http://me:pw@x.test/' } } }, rules: [all] },
      'providers.a.remote_jwks.uri: must be an http or https URL without user name and password, such as https://issuer.example/jwks.json',
    ],
    [
      'a file URL',
      { providers: { a: { remote_jwks: { uri: 'file:///etc/passwd' } } }, rules: [all] },
      'providers.a.remote_jwks.uri: must be an http or https URL without user name and password, such as https://issuer.example/jwks.json',
    ],
    [
      'a secret from far away',
      { providers: { a: { algorithms: ['HS256'], remote_jwks: { uri: 'http://x.test/' } } }, rules: [all] },
      'providers.a.algorithms: HS256, HS384 and HS512 need a shared secret, which cannot come from remote_jwks; name others or use local_jwks',
    ],
    [
      'alg none',
      { providers: { a: { ...main, algorithms: ['none'] } }, rules: [all] },
      'providers.a.algorithms.0: must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512',
    ],
    [
      'a skew of an hour',
      { providers: { a: { ...main, clock_skew: '1h' } }, rules: [all] },
      'providers.a.clock_skew: must be at most 10m',
    ],
    [
      'a realm with a quote',
      { providers, rules: [all], realm: 'a"b' },
      'realm: must be 1 to 256 ASCII characters without " and \\',
    ],
  ];
  it.each(faults)('%s', (_what, config, fault) => {
    expect(issues(config)).toEqual([fault]);
  });

  const keyFaults: [what: string, inline: string, algorithms: string[] | undefined, fault: string][] = [
    ['no JSON', 'hello', undefined, 'is not a JWK Set: a JSON object with a member keys'],
    ['a bare key', JSON.stringify(keyA.publicJwk), undefined, 'is not a JWK Set: a JSON object with a member keys'],
    [
      'JW26: RSA of 1024 bits',
      jwks(makeKey('RS256', 'weak', 1024)),
      undefined,
      'keys[0] (kid "weak") is an RSA key of 1024 bits; 2048 is the least',
    ],
    [
      'JW26: a secret of 8 bytes',
      JSON.stringify({ keys: [{ kty: 'oct', k: 'AAECAwQFBgc' }] }),
      ['HS256'],
      'keys[0] is a secret of 64 bits; HS256 needs 256',
    ],
    [
      'a secret nobody asked for',
      JSON.stringify({ keys: [{ kty: 'oct', k: 'A'.repeat(43) }] }),
      undefined,
      'has no key that the allowed algorithms can use; keys[0] (oct) fits no allowed algorithm; secrets need HS256, HS384 or HS512 in algorithms',
    ],
    [
      'a private key',
      JSON.stringify({ keys: [keyA.privateJwk] }),
      undefined,
      'keys[0] (kid "a") is a private key; give the public one and make a new pair, for this one is known now',
    ],
    [
      'two keys of one name',
      jwks(keyA, makeKey('ES256', 'a')),
      undefined,
      'keys[1] (kid "a") has the kid of another key',
    ],
    [
      'a point that is not on the curve',
      jwks({ ...keyA.publicJwk, y: keyB.publicJwk['y'] }),
      undefined,
      'keys[0] (kid "a") is not a valid EC key',
    ],
    [
      'a key without x',
      jwks({ ...keyA.publicJwk, x: undefined }),
      undefined,
      'keys[0] (kid "a") has no x, or one that is not a string',
    ],
    [
      'keys for other algorithms',
      jwks(keyA),
      ['RS256'],
      'has no key that the allowed algorithms can use; keys[0] (kid "a") (EC, P-256, ES256) fits no allowed algorithm',
    ],
    ['no key', '{"keys":[]}', undefined, 'has no key that the allowed algorithms can use'],
  ];
  it.each(keyFaults)('%s', async (_what, inline, algorithms, fault) => {
    const config = {
      providers: { a: { ...(algorithms !== undefined && { algorithms }), local_jwks: { inline } } },
      rules: [all],
    };
    await expect(startFilter(jwtAuth, config as Config)).rejects.toThrow(`providers.a.local_jwks.inline: ${fault}`);
  });

  it('tells of all providers at once', async () => {
    const bad = { local_jwks: { inline: '{}' } };
    await expect(startFilter(jwtAuth, { providers: { a: bad, b: bad }, rules: [all] })).rejects.toThrow(
      /providers\.a\..*\nproviders\.b\./,
    );
  });

  it.each(['authorization', 'host', 'content-length', 'cookie'])(
    'refuses to write claims into %s',
    async (header_name) => {
      const config = {
        providers: { a: { ...main, claim_to_headers: [{ header_name, claim_name: 'sub' }] } },
        rules: [all],
      };
      await expect(startFilter(jwtAuth, config)).rejects.toThrow(`providers.a.claim_to_headers: ${header_name}`);
    },
  );

  it('reads keys from a file next to the configuration, and says which file it cannot read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jwt-auth-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'keys.json'), jwks(keyA));
    const filter = await startFilter(
      jwtAuth,
      { providers: { a: { local_jwks: { filename: 'keys.json' } } }, rules: [all] },
      { folder },
    );
    expect(await filter.request(makeExchange({ headers: bearer(tokenA) }))).toBeUndefined();
    await expect(
      startFilter(
        jwtAuth,
        { providers: { a: { local_jwks: { filename: 'nothing.json' } } }, rules: [all] },
        { folder },
      ),
    ).rejects.toThrow('providers.a.local_jwks.filename: nothing.json: ENOENT');
  });

  it('accepts the example of the design', async () => {
    const config: Config = {
      providers: {
        main: {
          issuer: 'https://issuer.example',
          audiences: ['api'],
          remote_jwks: { uri: 'https://issuer.example/jwks.json', cache_duration: '10m' },
        },
      },
      rules: [
        { match: { prefix: '/public/' }, allow_missing: true },
        { match: { prefix: '/' }, requires: 'main' },
      ],
    };
    expect(issues(config)).toEqual([]);
  });
});
