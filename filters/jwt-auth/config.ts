import { byteSize, didYouMean, doc, duration, headerName, integer, name, safeRegex, v } from 'portico';
import { algorithmNames, algorithms, asymmetricAlgorithms } from './algorithms.ts';

function durationOf(least: number, most: number, message: string) {
  return v.pipe(duration(), v.minValue(least, message), v.maxValue(most, message));
}

const second = 1000;
const hour = 3600 * second;

const localJwks = v.pipe(
  v.strictObject({
    inline: v.optional(doc('The JWK Set itself, as JSON text.', v.pipe(v.string('must be JSON text'), v.minLength(2)))),
    filename: v.optional(
      doc(
        'A file with the JWK Set; read when the configuration is loaded.',
        v.pipe(v.string('must be a path'), v.minLength(1)),
      ),
    ),
  }),
  v.check(
    ({ inline, filename }) => (inline === undefined) !== (filename === undefined),
    'give either inline or filename',
  ),
);

const remoteJwks = v.strictObject({
  uri: doc(
    'Where the issuer publishes its JWK Set.',
    v.pipe(
      v.string('must be a URL such as https://issuer.example/jwks.json'),
      v.check(
        isPlainUrl,
        'must be an http or https URL without user name and password, such as https://issuer.example/jwks.json',
      ),
    ),
  ),
  cluster: v.optional(doc("Name of the cluster to fetch through. Default: straight to the URL's host.", name())),
  timeout: v.optional(doc('Time for one fetch.', durationOf(1, 60 * second, 'must be from 1ms to 60s')), '5s'),
  cache_duration: v.optional(
    doc(
      'How long keys are fresh; they are fetched again in the background a little before.',
      durationOf(second, 24 * hour, 'must be from 1s to 24h'),
    ),
    '10m',
  ),
  stale_for: v.optional(
    doc('How long keys are used beyond that while fetching fails.', durationOf(0, 7 * 24 * hour, 'must be at most 7d')),
    '1h',
  ),
  unknown_key_cooldown: v.optional(
    doc(
      'Least time between two fetches for tokens by unknown keys. Such a token waits for the fetch, at most this long, so a new key works at once.',
      durationOf(100, 30 * second, 'must be from 100ms to 30s'),
    ),
    '2s',
  ),
});

const claimToHeader = v.strictObject({
  header_name: doc(
    "Header that the app gets. The client's own is always removed, whatever rule applies.",
    headerName(),
  ),
  claim_name: doc(
    'Claim to take: a name, or a path with dots into objects. Strings, numbers, booleans and lists of them; a claim that cannot be a header value is left out.',
    v.pipe(v.string('must be the name of a claim'), v.minLength(1, 'must be the name of a claim')),
  ),
});

const provider = v.pipe(
  v.strictObject({
    issuer: v.optional(doc('What `iss` must be, exactly. Default: not checked.', v.pipe(v.string(), v.minLength(1)))),
    audiences: v.optional(
      doc('One of these must be in `aud`. Empty: not checked.', v.array(v.pipe(v.string(), v.minLength(1)))),
      [],
    ),
    algorithms: v.optional(
      doc(
        'Signature algorithms to accept. HS256, HS384 and HS512 only with local_jwks, and only when they are named here.',
        v.pipe(
          v.array(v.picklist(algorithmNames, (issue) => algorithmMessage(issue.input))),
          v.minLength(1, 'must name at least one algorithm'),
        ),
      ),
      asymmetricAlgorithms,
    ),
    clock_skew: v.optional(
      doc(
        "How far the issuer's clock may be off, for `exp` and `nbf`.",
        durationOf(0, 600 * second, 'must be at most 10m'),
      ),
      '60s',
    ),
    require_expiration: v.optional(doc('Refuse tokens without `exp`.', v.boolean()), true),
    max_lifetime: v.optional(
      doc(
        'Refuse tokens that live longer than this from their issue (`iat`, else now) to `exp`. Default: no limit.',
        v.pipe(duration(), v.minValue(second, 'must be at least 1s')),
      ),
    ),
    required_typ: v.optional(
      doc(
        'What `typ` in the header must be, such as `at+jwt` for access tokens (RFC 9068). Case and a leading `application/` do not count. Default: not checked.',
        v.pipe(v.string(), v.minLength(1)),
      ),
    ),
    local_jwks: v.optional(doc('Keys from the configuration.', localJwks)),
    remote_jwks: v.optional(doc('Keys from the issuer.', remoteJwks)),
    from_headers: v.optional(
      doc(
        'Headers to look in. Default: `Authorization` with the prefix `Bearer `, unless another place is named.',
        v.array(
          v.strictObject({
            name: doc('Header name.', headerName()),
            value_prefix: v.optional(
              doc(
                'What stands before the token, such as `Bearer `; in any case. A value without it holds no token.',
                v.string(),
              ),
              '',
            ),
          }),
        ),
      ),
      [],
    ),
    from_cookies: v.optional(doc('Cookies to look in.', v.array(v.pipe(v.string(), v.minLength(1)))), []),
    from_params: v.optional(doc('Query parameters to look in.', v.array(v.pipe(v.string(), v.minLength(1)))), []),
    forward: v.optional(
      doc(
        'Let the app see the token. Otherwise it is taken out of header and query (not out of cookies).',
        v.boolean(),
      ),
      false,
    ),
    claim_to_headers: v.optional(doc('Claims that the app gets as headers.', v.array(claimToHeader)), []),
    forward_payload_header: v.optional(
      doc("Header with the token's whole payload, base64url. The client's own is always removed.", headerName()),
    ),
    cache: v.optional(
      doc(
        'Verified tokens are remembered until they expire or their key is withdrawn.',
        v.strictObject({
          max_tokens: v.optional(
            doc('Most tokens to remember; 0 checks every token every time.', integer(0, 1_000_000)),
            10_000,
          ),
          max_token_size: v.optional(doc('Longer tokens are not remembered.', byteSize()), '4KiB'),
        }),
      ),
      {},
    ),
  }),
  v.check(
    (input) => (input.local_jwks === undefined) !== (input.remote_jwks === undefined),
    'needs keys: give either local_jwks or remote_jwks',
  ),
  v.forward(
    v.check(
      (input) => input.remote_jwks === undefined || input.algorithms.every((one) => algorithms[one].kty !== 'oct'),
      'HS256, HS384 and HS512 need a shared secret, which cannot come from remote_jwks; name others or use local_jwks',
    ),
    ['algorithms'],
  ),
);

const pathText = v.pipe(v.string('must be a path'), v.startsWith('/', 'must start with /'));

const match = v.pipe(
  v.strictObject({
    prefix: v.optional(doc('The path begins so.', pathText)),
    path_separated_prefix: v.optional(
      doc('The path is this, or goes on below it: `/api` and `/api/x`, not `/apix`.', pathText),
    ),
    path: v.optional(doc('The path is exactly this.', pathText)),
    safe_regex: v.optional(doc('The whole path matches.', safeRegex())),
    methods: v.optional(
      doc('Only these methods. Default: all.', v.pipe(v.array(v.pipe(v.string(), v.toUpperCase())), v.minLength(1))),
    ),
  }),
  v.check(
    ({ prefix, path_separated_prefix: below, path, safe_regex: regex }) =>
      [prefix, below, path, regex].filter((one) => one !== undefined).length === 1,
    'needs exactly one of prefix, path_separated_prefix, path and safe_regex',
  ),
);

const rule = v.pipe(
  v.strictObject({
    match: doc('Which requests: by path, without the query.', match),
    requires: v.optional(doc('Provider whose token is needed.', v.string())),
    requires_any: v.optional(
      doc('Providers of which one must accept the token.', v.pipe(v.array(v.string()), v.minLength(1))),
    ),
    allow_missing: v.optional(
      doc(
        'A request without a token passes; one with a bad token does not. In a rule that requires no provider: everybody passes and tokens are not looked at.',
        v.boolean(),
      ),
      false,
    ),
  }),
  v.check(
    (input) => input.requires === undefined || input.requires_any === undefined,
    'give either requires or requires_any',
  ),
  v.check(
    (input) => input.allow_missing || input.requires !== undefined || input.requires_any !== undefined,
    'must say what it asks for: requires, requires_any, or allow_missing: true to let everybody pass',
  ),
);

export const jwtAuthSchema = v.pipe(
  v.strictObject({
    providers: doc('Issuers of tokens, by a name of your choice.', v.record(name(), provider)),
    rules: doc(
      'What is asked of which requests; the first that matches decides. A request that no rule matches is refused.',
      v.pipe(v.array(rule), v.minLength(1, 'must have a rule, else every request is refused')),
    ),
    realm: v.optional(
      doc(
        'Realm in the `WWW-Authenticate` header of refusals.',
        v.pipe(
          v.string(),
          v.regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be 1 to 256 ASCII characters without " and \\'),
        ),
      ),
      'portico',
    ),
    bypass_cors_preflight: v.optional(
      doc('Let CORS preflight requests pass, which cannot carry a token; for apps that answer them.', v.boolean()),
      false,
    ),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { rules, providers } = dataset.value;
    for (const [index, one] of rules.entries()) {
      const named = one.requires !== undefined ? [one.requires] : (one.requires_any ?? []);
      for (const [place, provider] of named.entries()) {
        if (Object.hasOwn(providers, provider)) continue;
        const near = didYouMean(provider, Object.keys(providers));
        addIssue({
          message: `there is no provider named ${JSON.stringify(provider)}${near === undefined ? '' : `; did you mean ${near}?`}`,
          path: [
            { type: 'object', origin: 'value', input: dataset.value, key: 'rules', value: rules },
            { type: 'array', origin: 'value', input: rules, key: index, value: one },
            ...(one.requires !== undefined
              ? [
                  {
                    type: 'object' as const,
                    origin: 'value' as const,
                    input: { ...one },
                    key: 'requires',
                    value: provider,
                  },
                ]
              : [
                  {
                    type: 'object' as const,
                    origin: 'value' as const,
                    input: { ...one },
                    key: 'requires_any',
                    value: named,
                  },
                  { type: 'array' as const, origin: 'value' as const, input: named, key: place, value: provider },
                ]),
          ],
        });
      }
    }
  }),
);

export type JwtAuthConfig = v.InferOutput<typeof jwtAuthSchema>;
export type ProviderConfig = JwtAuthConfig['providers'][string];
export type RuleConfig = JwtAuthConfig['rules'][number];

function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

function algorithmMessage(given: unknown): string {
  const near = typeof given === 'string' ? didYouMean(given, algorithmNames) : undefined;
  return `must be one of ${algorithmNames.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`;
}
