import { createPublicKey } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import jwtAuth, { jwtClaims } from '../../../filters/jwt-auth.ts';
import type { LocalReply } from '../../../src/http/index.ts';
import { makeExchange, startFilter, TestClock } from '../../support/filter-harness.ts';
import {
  base64url,
  forge,
  hmacOf,
  issue,
  jwks,
  makeKey,
  signatureOf,
  startIdentityProvider,
} from '../../support/identity-provider.ts';

const now = 1_800_000_000;
const rsa = makeKey('RS256', 'rsa');
const ec = makeKey('ES256', 'ec');
const attacker = makeKey('RS256', 'rsa');
const good = { iss: 'https://issuer.test', aud: 'api', sub: 'ann', exp: now + 300 };

type ProviderInput = Parameters<
  typeof startFilter<NonNullable<typeof jwtAuth.config>, NonNullable<typeof jwtAuth.stats>>
>[1]['providers'][string];

async function start(provider: Partial<ProviderInput> = {}) {
  const filter = await startFilter(
    jwtAuth,
    {
      providers: {
        main: {
          issuer: 'https://issuer.test',
          audiences: ['api'],
          algorithms: ['RS256', 'ES256'],
          clock_skew: '5s',
          local_jwks: { inline: jwks(rsa, ec) },
          ...provider,
        },
      },
      rules: [{ match: { prefix: '/' }, requires: 'main' }],
    },
    { clock: new TestClock(now * 1000) },
  );
  const ask = async (token: string | readonly (readonly [string, string])[], path = '/') => {
    const exchange = makeExchange({
      path,
      headers: typeof token === 'string' ? [['authorization', `Bearer ${token}`]] : token,
    });
    return { exchange, reply: await filter.request(exchange) };
  };
  return { filter, ask };
}

function verdict(reply: LocalReply | undefined): string {
  return reply === undefined ? 'passes' : `${reply.status} ${reply.local.details}`;
}

const byRsa = (input: string) => signatureOf(input, 'RS256', rsa.privateKey);
const refusedAs = (reason: string) => `401 jwt_authn_access_denied{${reason}}`;
const header = { alg: 'RS256', kid: 'rsa' };
const publicPem = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' });
const publicDer = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'der' });
const goodToken = issue(rsa, good);
const [h, p, s] = goodToken.split('.') as [string, string, string];
const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The same bytes in another spelling: a bit set that decoding drops. */
const otherSpelling = s.slice(0, -1) + last[last.indexOf(s.at(-1)!) + 1]!;

const malformed = refusedAs('token_malformed');
const wrongAlg = refusedAs('algorithm_not_allowed');
const badSignature = refusedAs('signature_invalid');
const unknownKey = refusedAs('key_unknown');
const badClaims = refusedAs('claims_malformed');
const early = refusedAs('token_not_yet_valid');
const expired = refusedAs('token_expired');
const wrongAudience = refusedAs('audience_mismatch');
const wrongIssuer = refusedAs('issuer_mismatch');
const claims = (extra: Record<string, unknown>) => issue(rsa, { ...good, ...extra });
const without = (name: string) => issue(rsa, Object.fromEntries(Object.entries(good).filter(([key]) => key !== name)));
const raw = (payload: string | Uint8Array) => forge(header, payload, byRsa);
const rest = JSON.stringify(good).slice(1);

const table: [id: string, what: string, token: string, expected: string][] = [
  ['JW00', 'a good token', goodToken, 'passes'],
  ['JW00', 'a good ES256 token', issue(ec, good), 'passes'],
  ...['none', 'nOnE', 'NONE', ''].map((alg): (typeof table)[number] => [
    'JW01',
    `alg ${JSON.stringify(alg)} without signature`,
    `${base64url({ alg })}.${p}.`,
    malformed,
  ]),
  ['JW01', 'alg none with a signature', forge({ alg: 'none', kid: 'rsa' }, good, byRsa), wrongAlg],
  ['JW01', 'no alg', forge({ kid: 'rsa' }, good, byRsa), malformed],
  ['JW01', 'alg a list', forge({ alg: ['RS256'], kid: 'rsa' }, good, byRsa), malformed],
  [
    'JW02',
    'HS256 over the public key as PEM',
    forge({ alg: 'HS256', kid: 'rsa' }, good, (i) => hmacOf(i, 'HS256', publicPem)),
    wrongAlg,
  ],
  [
    'JW02',
    'HS256 over the public key as DER',
    forge({ alg: 'HS256', kid: 'rsa' }, good, (i) => hmacOf(i, 'HS256', publicDer)),
    wrongAlg,
  ],
  [
    'JW02',
    'HS256 over the modulus',
    forge({ alg: 'HS256' }, good, (i) => hmacOf(i, 'HS256', Buffer.from(rsa.publicJwk['n'] as string, 'base64url'))),
    wrongAlg,
  ],
  [
    'JW03',
    'RS512 by the same key',
    forge({ alg: 'RS512', kid: 'rsa' }, good, (i) => signatureOf(i, 'RS512', rsa.privateKey)),
    wrongAlg,
  ],
  [
    'JW03',
    'PS256 by the same key',
    forge({ alg: 'PS256', kid: 'rsa' }, good, (i) => signatureOf(i, 'PS256', rsa.privateKey)),
    wrongAlg,
  ],
  ['JW04', 'a key of its own', issue(attacker, good, { jwk: attacker.publicJwk }), badSignature],
  [
    'JW04',
    'a key of its own and no kid',
    issue(attacker, good, { kid: undefined, jwk: attacker.publicJwk }),
    badSignature,
  ],
  ...['../../../../dev/null', "x' OR '1'='1", '|id', 'x'.repeat(10_240), '__proto__', 'constructor', ''].map(
    (kid): (typeof table)[number] => ['JW06', `kid ${kid.slice(0, 20)}`, issue(rsa, good, { kid }), unknownKey],
  ),
  ['JW06', 'kid a list', issue(rsa, good, { kid: ['rsa'] }), malformed],
  ['JW06', 'kid a number', issue(rsa, good, { kid: 7 }), malformed],
  ['JW07', 'no kid and one key that fits', issue(rsa, good, { kid: undefined }), 'passes'],
  ['JW08', 'RS256 with the kid of the EC key', forge({ alg: 'RS256', kid: 'ec' }, good, byRsa), unknownKey],
  ['JW08', 'ES256 with the kid of the RSA key', issue(ec, good, { kid: 'rsa' }), unknownKey],
  ['JW09', 'crit with an unknown extension', issue(rsa, good, { crit: ['exp2'], exp2: 1 }), malformed],
  ['JW09', 'empty crit', issue(rsa, good, { crit: [] }), malformed],
  ['JW09', 'crit b64', issue(rsa, good, { crit: ['b64'], b64: false }), malformed],
  ['JW10', 'b64 without crit', issue(rsa, good, { b64: false }), malformed],
  ['JW11', 'expired 2 s ago', claims({ exp: now - 2 }), 'passes'],
  ['JW11', 'expired 10 s ago', claims({ exp: now - 10 }), expired],
  ['JW11', 'expires now', claims({ exp: now }), 'passes'],
  ['JW11', 'expired exactly the tolerance ago', claims({ exp: now - 5 }), expired],
  ['JW11', 'exp with a fraction', claims({ exp: now + 0.5 }), 'passes'],
  ['JW12', 'exp a string', claims({ exp: String(now + 300) }), badClaims],
  ['JW12', 'exp null', claims({ exp: null }), badClaims],
  ['JW12', 'exp negative', claims({ exp: -1 }), expired],
  ['JW12', 'no exp', without('exp'), badClaims],
  ['JW12', 'exp 1e400', raw(`{"exp":1e400,${JSON.stringify({ iss: good.iss, aud: 'api' }).slice(1)}`), badClaims],
  ['JW13', 'nbf in 3 s', claims({ nbf: now + 3 }), 'passes'],
  ['JW13', 'nbf in 60 s', claims({ nbf: now + 60 }), early],
  ['JW13', 'nbf a string', claims({ nbf: '0' }), badClaims],
  ['JW13', 'iat far in the future', claims({ iat: now + 10_000 }), 'passes'],
  ['JW13', 'iat a string', claims({ iat: 'now' }), badClaims],
  ['JW14', 'aud in a list', claims({ aud: ['x', 'api'] }), 'passes'],
  ['JW14', 'aud others', claims({ aud: ['x'] }), wrongAudience],
  ['JW14', 'aud empty list', claims({ aud: [] }), wrongAudience],
  ['JW14', 'aud api2', claims({ aud: 'api2' }), wrongAudience],
  ['JW14', 'aud API', claims({ aud: 'API' }), wrongAudience],
  ['JW14', 'aud with a number', claims({ aud: ['api', 5] }), wrongAudience],
  ['JW14', 'no aud', without('aud'), wrongAudience],
  ['JW15', 'iss with a slash', claims({ iss: `${good.iss}/` }), wrongIssuer],
  ['JW15', 'iss a list', claims({ iss: [good.iss] }), wrongIssuer],
  ['JW15', 'no iss', without('iss'), wrongIssuer],
  ['JW16', 'exp twice', raw(`{"exp":1,${rest}`), badClaims],
  ['JW16', 'exp twice, once escaped', raw(`{"\\u0065xp":1,${rest}`), badClaims],
  ['JW16', 'a member twice further in', raw(`{"a":{"b":1,"b":2},${rest}`), badClaims],
  ['JW16', 'alg twice', forge('{"alg":"none","alg":"RS256","kid":"rsa"}', good, byRsa), malformed],
  ['JW17', 'ES256 signature all zero', forge({ alg: 'ES256', kid: 'ec' }, good, () => Buffer.alloc(64)), badSignature],
  [
    'JW17',
    'ES256 signature of 63 bytes',
    forge({ alg: 'ES256', kid: 'ec' }, good, () => Buffer.alloc(63, 1)),
    badSignature,
  ],
  [
    'JW17',
    'ES256 signature of 65 bytes',
    forge({ alg: 'ES256', kid: 'ec' }, good, () => Buffer.alloc(65, 1)),
    badSignature,
  ],
  [
    'JW17',
    'ES256 signature in DER',
    forge({ alg: 'ES256', kid: 'ec' }, good, () => Buffer.from('3006020101020101', 'hex')),
    badSignature,
  ],
  ['JW18', 'a space behind', `${goodToken} `, malformed],
  ['JW18', 'padding', `${goodToken}==`, malformed],
  ['JW18', 'a newline in the signature', `${h}.${p}.${s.slice(0, 9)}\n${s.slice(9)}`, malformed],
  ['JW18', 'another spelling of the last bits', `${h}.${p}.${otherSpelling}`, malformed],
  ['JW18', 'the alphabet of plain base64', `${h}.${p}.${'+/'.repeat(43)}`, malformed],
  ['JW18', 'a dot behind', `${goodToken}.`, malformed],
  ['JW18', 'two parts', `${h}.${p}`, malformed],
  ['JW18', 'nothing', '', malformed],
  ['JW19', 'five parts', `${h}.${p}.${s}.${p}.${s}`, malformed],
  ['JW19', 'a token in a token', issue(rsa, goodToken, { cty: 'JWT' }), badClaims],
  ['JW19', 'zip', issue(rsa, good, { zip: 'DEF' }), malformed],
  ['JW20', 'a token of 1 MB', claims({ x: 'x'.repeat(1024 * 1024) }), malformed],
  ['JW21', 'lists 20 000 deep', raw(`{"x":${'['.repeat(20_000)}${']'.repeat(20_000)},${rest}`), badClaims],
  [
    'JW21',
    '4 000 members like numbers',
    raw(`{${Array.from({ length: 4000 }, (_, i) => `"${i}":0`).join(',')},${rest}`),
    badClaims,
  ],
  [
    'JW22',
    'payload not UTF-8',
    raw(Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff, 0xfe]), Buffer.from(`",${rest}`)])),
    badClaims,
  ],
  ['JW22', 'payload with a byte order mark', raw(`\ufeff${JSON.stringify(good)}`), badClaims],
  ['JW22', 'payload a list', raw(JSON.stringify([good])), badClaims],
  ['JW22', 'payload a string', raw('"hello"'), badClaims],
  ['JW22', 'payload null', raw('null'), badClaims],
];

describe('what jwt-auth thinks of tokens', () => {
  it.each(table)('%s: %s', async (_id, _what, token, expected) => {
    const { ask } = await start();
    const { exchange, reply } = await ask(token);
    expect(verdict(reply)).toBe(expected);
    if (reply === undefined) {
      expect(exchange.get(jwtClaims)).toMatchObject({ aud: expect.anything() as unknown });
    } else {
      expect(reply.local.flag).toBe('UAEX');
      expect(reply.headers.get('www-authenticate')).toMatch(
        /^Bearer realm="portico", error="invalid_token", error_description="[\w ]+"$/,
      );
      expect(exchange.get(jwtClaims)).toBeUndefined();
    }
  });

  it('JW05: never fetches what a token points to', async () => {
    const trap = await startIdentityProvider(attacker);
    onTestFinished(() => trap.close());
    const { ask } = await start();
    for (const name of ['jku', 'x5u']) {
      expect(verdict((await ask(issue(rsa, good, { [name]: trap.uri }))).reply)).toBe('passes');
      expect(verdict((await ask(issue(attacker, good, { [name]: trap.uri }))).reply)).toBe(badSignature);
    }
    expect(verdict((await ask(issue(attacker, good, { x5c: ['MIIB'] }))).reply)).toBe(badSignature);
    expect(trap.fetches).toBe(0);
  });

  it('JW07: refuses a token without kid when two keys could be meant', async () => {
    const second = makeKey('RS256', 'rsa2');
    const { ask } = await start({ local_jwks: { inline: jwks(rsa, second) } });
    expect(verdict((await ask(issue(rsa, good, { kid: undefined }))).reply)).toBe(refusedAs('key_ambiguous'));
  });

  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])(
    'accepts %s by default',
    async (alg) => {
      const key = makeKey(alg, 'k');
      const filter = await startFilter(jwtAuth, {
        providers: { main: { local_jwks: { inline: jwks(key) } } },
        rules: [{ match: { prefix: '/' }, requires: 'main' }],
      });
      const token = issue(key, { exp: Date.now() / 1000 + 60 });
      expect(await filter.request(makeExchange({ headers: { authorization: `Bearer ${token}` } }))).toBeUndefined();
    },
  );

  it('takes EdDSA and Ed25519 for one algorithm, whichever name key and token use', async () => {
    const key = makeKey('EdDSA', 'k');
    const { ask } = await start({ algorithms: ['EdDSA', 'Ed25519'], local_jwks: { inline: jwks(key) } });
    expect((await ask(issue(key, good, { alg: 'Ed25519' }))).reply).toBeUndefined();
  });

  it('accepts HMAC with a local secret when it is asked for by name', async () => {
    const secret = Buffer.alloc(32, 7);
    const inline = JSON.stringify({ keys: [{ kty: 'oct', kid: 's', k: secret.toString('base64url') }] });
    const { ask } = await start({ algorithms: ['HS256'], local_jwks: { inline } });
    const token = forge({ alg: 'HS256', kid: 's' }, good, (input) => hmacOf(input, 'HS256', secret));
    expect((await ask(token)).reply).toBeUndefined();
    const other = forge({ alg: 'HS256', kid: 's' }, good, (input) => hmacOf(input, 'HS256', Buffer.alloc(32, 8)));
    expect(verdict((await ask(other)).reply)).toBe(badSignature);
  });

  it('JW13: limits the life of tokens, also of those that claim to be issued in the future', async () => {
    const { ask } = await start({ max_lifetime: '10m' });
    expect((await ask(claims({ iat: now - 10, exp: now + 300 }))).reply).toBeUndefined();
    expect(verdict((await ask(claims({ iat: now - 10, exp: now + 3600 }))).reply)).toBe(refusedAs('lifetime_too_long'));
    expect(verdict((await ask(claims({ iat: now + 3500, exp: now + 3600 }))).reply)).toBe(
      refusedAs('lifetime_too_long'),
    );
    expect(verdict((await ask(claims({ iat: now - 3600, exp: now + 10 }))).reply)).toBe(refusedAs('lifetime_too_long'));
  });

  it('JW25: tells access tokens from others when a typ is required', async () => {
    const { ask } = await start({ required_typ: 'at+jwt' });
    expect((await ask(issue(rsa, good, { typ: 'AT+JWT' }))).reply).toBeUndefined();
    expect((await ask(issue(rsa, good, { typ: 'application/at+jwt' }))).reply).toBeUndefined();
    expect(verdict((await ask(issue(rsa, good, { typ: 'JWT' }))).reply)).toBe(refusedAs('type_mismatch'));
    expect(verdict((await ask(goodToken)).reply)).toBe(refusedAs('type_mismatch'));
  });
});

describe('where jwt-auth finds tokens', () => {
  const elsewhere = {
    from_headers: [{ name: 'authorization', value_prefix: 'Bearer ' }, { name: 'x-token' }],
    from_cookies: ['session'],
    from_params: ['access_token'],
  };
  const missing = refusedAs('token_missing');
  const several = '400 jwt_authn_access_denied{token_ambiguous}';
  const other = claims({ sub: 'bob' });
  const cases: [
    what: string,
    provider: Partial<ProviderInput>,
    headers: [string, string][],
    path: string,
    expected: string,
  ][] = [
    ['scheme in lower case', {}, [['Authorization', `bearer ${goodToken}`]], '/', 'passes'],
    ['scheme in upper case', {}, [['AUTHORIZATION', `BEARER ${goodToken}`]], '/', 'passes'],
    ['two spaces', {}, [['authorization', `Bearer  ${goodToken}`]], '/', 'passes'],
    ['a tab', {}, [['authorization', `Bearer\t${goodToken}`]], '/', malformed],
    ['the scheme alone', {}, [['authorization', 'Bearer']], '/', malformed],
    ['another scheme', {}, [['authorization', 'Basic YTpi']], '/', missing],
    ['a scheme that begins alike', {}, [['authorization', `BearerX ${goodToken}`]], '/', missing],
    ['no scheme', {}, [['authorization', goodToken]], '/', missing],
    ['nothing at all', {}, [], '/', missing],
    [
      'two tokens joined by a comma',
      {},
      [['authorization', `Bearer ${goodToken}, Bearer ${goodToken}`]],
      '/',
      malformed,
    ],
    [
      'two lines',
      {},
      [
        ['authorization', `Bearer ${goodToken}`],
        ['Authorization', `Bearer ${goodToken}`],
      ],
      '/',
      several,
    ],
    [
      'two lines, one with another scheme',
      {},
      [
        ['authorization', 'Basic YTpi'],
        ['authorization', `Bearer ${goodToken}`],
      ],
      '/',
      several,
    ],
    ['a query token nobody asked for', {}, [], `/?access_token=${goodToken}`, missing],
    ['a cookie nobody asked for', {}, [['cookie', `session=${goodToken}`]], '/', missing],
    [
      'a good header beside a query token nobody asked for',
      {},
      [['authorization', `Bearer ${goodToken}`]],
      '/?access_token=x',
      'passes',
    ],
    ['the query', elsewhere, [], `/?a=1&access_token=${goodToken}`, 'passes'],
    ['the query, name encoded', elsewhere, [], `/?access%5Ftoken=${goodToken}`, 'passes'],
    ['the query, twice', elsewhere, [], `/?access_token=${goodToken}&access_token=${other}`, several],
    ['a cookie', elsewhere, [['cookie', `a=b; session=${goodToken}; c=d`]], '/', 'passes'],
    [
      'a cookie in the second line',
      elsewhere,
      [
        ['cookie', 'a=b'],
        ['cookie', `session=${goodToken}`],
      ],
      '/',
      'passes',
    ],
    ['two cookies of the name', elsewhere, [['cookie', `session=${goodToken}; session=${other}`]], '/', several],
    ['another header', elsewhere, [['x-token', goodToken]], '/', 'passes'],
    [
      'header and query differ',
      elsewhere,
      [['authorization', `Bearer ${goodToken}`]],
      `/?access_token=${other}`,
      several,
    ],
    [
      'header and cookie say the same',
      elsewhere,
      [
        ['authorization', `Bearer ${goodToken}`],
        ['cookie', `session=${goodToken}`],
      ],
      '/',
      'passes',
    ],
    [
      'authorization, when only a cookie is named',
      { from_cookies: ['session'] },
      [['authorization', `Bearer ${goodToken}`]],
      '/',
      missing,
    ],
  ];
  it.each(cases)('JW24: %s', async (_what, provider, headers, path, expected) => {
    const { ask } = await start(provider);
    const { reply } = await ask(headers, path);
    expect(verdict(reply)).toBe(expected);
    if (expected === missing) expect(reply!.headers.get('www-authenticate')).toBe('Bearer realm="portico"');
    if (expected === several)
      expect(reply!.headers.get('www-authenticate')).toMatch(/^Bearer realm="portico", error="invalid_request", /);
  });

  it('takes an accepted token out of the request, but leaves cookies', async () => {
    const { ask } = await start(elsewhere);
    const header = await ask([
      ['Authorization', `Bearer ${goodToken}`],
      ['x-other', '1'],
    ]);
    expect([...header.exchange.request.headers]).toEqual([['x-other', '1']]);
    const query = await ask([], `/p?a=%20&access_token=${goodToken}&b`);
    expect(query.exchange.request.path).toBe('/p?a=%20&b');
    expect((await ask([], `/p?access_token=${goodToken}`)).exchange.request.path).toBe('/p');
    const cookie = await ask([['cookie', `a=b; session=${goodToken}`]]);
    expect(cookie.exchange.request.headers.get('cookie')).toBe(`a=b; session=${goodToken}`);
  });

  it('leaves the token in the request when told to forward it', async () => {
    const { ask } = await start({ forward: true });
    expect((await ask(goodToken)).exchange.request.headers.get('authorization')).toBe(`Bearer ${goodToken}`);
  });
});

describe('what jwt-auth tells the app', () => {
  const provider: Partial<ProviderInput> = {
    claim_to_headers: [
      { header_name: 'x-user', claim_name: 'sub' },
      { header_name: 'x-tenant', claim_name: 'org.tenant.id' },
      { header_name: 'x-mail', claim_name: 'https://issuer.test/mail' },
      { header_name: 'x-roles', claim_name: 'roles' },
      { header_name: 'x-name', claim_name: 'name' },
    ],
    forward_payload_header: 'x-payload',
  };
  const told = async (extra: Record<string, unknown>, name: string) => {
    const { ask, filter } = await start(provider);
    const { exchange, reply } = await ask(claims(extra));
    expect(reply).toBeUndefined();
    return { value: exchange.request.headers.get(name), dropped: filter.stats.claims_dropped };
  };

  const values: [what: string, value: unknown, expected: string | undefined, dropped: number][] = [
    ['text', 'Ann', 'Ann', 0],
    ['nothing', null, undefined, 0],
    ['empty text', '', '', 0],
    ['a number', 42, '42', 0],
    ['a fraction', 0.5, '0.5', 0],
    ['a number beyond 2^53', 2 ** 60, undefined, 1],
    ['true', true, 'true', 0],
    ['false', false, 'false', 0],
    ['a list', ['a', 1, true], 'a,1,true', 0],
    ['a list with a comma inside', ['a,b'], undefined, 1],
    ['a list of lists', [['a']], undefined, 1],
    ['an object', { a: 1 }, undefined, 1],
    ['CR LF and a header', 'a\r\nX-Admin: 1', undefined, 1],
    ['NUL', 'a\0', undefined, 1],
    ['DEL', 'a\x7f', undefined, 1],
    ['spaces at the ends', ' admin', undefined, 1],
    ['20 KB', 'x'.repeat(20_000), undefined, 1],
    ['beyond ASCII, as UTF-8', 'Żółć é', Buffer.from('Żółć é').toString('latin1'), 0],
    ['half a character', '\ud800', undefined, 1],
  ];
  it.each(values)('JW23: a claim that is %s', async (_what, value, expected, dropped) => {
    expect(await told({ name: value }, 'x-name')).toEqual({ value: expected, dropped });
  });

  it('finds claims by path and by names with dots, and only those of the token', async () => {
    expect((await told({ org: { tenant: { id: 't1' } } }, 'x-tenant')).value).toBe('t1');
    expect((await told({ 'https://issuer.test/mail': 'a@b' }, 'x-mail')).value).toBe('a@b');
    const { ask } = await start({
      claim_to_headers: [
        { header_name: 'x-a', claim_name: 'constructor.name' },
        { header_name: 'x-b', claim_name: '__proto__.admin' },
      ],
    });
    const { exchange } = await ask(goodToken);
    expect([...exchange.request.headers]).toEqual([]);
  });

  it('JW23: a claim named __proto__ is a claim like any other', async () => {
    const { ask } = await start();
    const { exchange, reply } = await ask(raw(`{"__proto__":{"admin":true},${rest}`));
    expect(reply).toBeUndefined();
    expect((exchange.get(jwtClaims) as { admin?: boolean }).admin).toBeUndefined();
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('hands on the payload as it was signed, and claims that nobody can change', async () => {
    const { ask } = await start(provider);
    const { exchange } = await ask(claims({ roles: ['a'] }));
    expect(JSON.parse(Buffer.from(exchange.request.headers.get('x-payload')!, 'base64url').toString())).toMatchObject({
      sub: 'ann',
      roles: ['a'],
    });
    expect(() => (exchange.get(jwtClaims) as { roles: string[] }).roles.push('admin')).toThrow(TypeError);
  });

  it("removes the client's own copies in any spelling, from the first request and from cached ones", async () => {
    const { ask } = await start(provider);
    const forged: [string, string][] = [
      ['X-User', 'root'],
      ['x_user', 'root'],
      ['x-tenant', 'other'],
      ['X-Payload', 'e30'],
      ['x-keep', '1'],
    ];
    for (let round = 0; round < 2; round++) {
      const { exchange, reply } = await ask([...forged, ['authorization', `Bearer ${goodToken}`]]);
      expect(reply).toBeUndefined();
      expect([...exchange.request.headers]).toEqual([
        ['x-keep', '1'],
        ['x-user', 'ann'],
        ['x-payload', p],
      ]);
    }
  });
});

describe('what jwt-auth remembers', () => {
  const asked = (token: string) => makeExchange({ headers: { authorization: `Bearer ${token}` } });

  it('answers at once for a token that it has verified, until it expires', async () => {
    const { filter } = await start();
    const first = filter.request(asked(goodToken));
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toBeUndefined();
    expect(filter.request(asked(goodToken))).toBeUndefined();
    expect(filter.stats).toMatchObject({ cache_hits: 1, cache_misses: 1, allowed: 2, denied: 0 });
    filter.clock.advance(304_999);
    expect(filter.request(asked(goodToken))).toBeUndefined();
    filter.clock.advance(1);
    const late = filter.request(asked(goodToken));
    expect(late).toBeInstanceOf(Promise);
    expect(verdict(await late)).toBe(expired);
    expect((await late)!.headers.get('www-authenticate')).toContain('error_description="The access token expired"');
  });

  it('JK10: follows the clock when somebody sets it', async () => {
    const { filter } = await start();
    const token = claims({ nbf: now - 60 });
    await filter.request(asked(token));
    filter.clock.jump(-3_600_000);
    expect(verdict(await filter.request(asked(token)))).toBe(early);
    filter.clock.jump(3_600_000);
    expect(await filter.request(asked(token))).toBeUndefined();
    filter.clock.jump(3_600_000);
    expect(verdict(await filter.request(asked(token)))).toBe(expired);
  });

  it('remembers no bad token, no long token, and no more than it may', async () => {
    const { filter } = await start({ cache: { max_tokens: 2, max_token_size: '1KiB' } });
    const bad = issue(attacker, good);
    const long = claims({ x: 'x'.repeat(1000) });
    for (const token of [bad, long]) {
      await filter.request(asked(token));
      expect(filter.request(asked(token))).toBeInstanceOf(Promise);
    }
    const tokens = ['a', 'b', 'c'].map((sub) => claims({ sub }));
    for (const token of tokens) await filter.request(asked(token));
    expect(filter.request(asked(tokens[1]!))).toBeUndefined();
    expect(filter.request(asked(tokens[2]!))).toBeUndefined();
    expect(filter.request(asked(tokens[0]!))).toBeInstanceOf(Promise);
  });

  it('does not remember anything when the cache is off', async () => {
    const { filter } = await start({ cache: { max_tokens: 0 } });
    await filter.request(asked(goodToken));
    expect(filter.request(asked(goodToken))).toBeInstanceOf(Promise);
  });
});
