import {
  compileSafeRegex,
  defineFilter,
  doc,
  duration,
  isToken,
  localReply,
  note,
  v,
  type Headers,
  type Request,
} from 'portico';

/** The origin that may read the response; made on the way in, so that local replies of later filters tell it too. */
const allowed = note<{ readonly origin: string; readonly preflight: boolean }>('cors allowed');

/** The app's word on the matter gives way to ours: two policies in one response are an error to browsers. */
const owned = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
]);

/** https://fetch.spec.whatwg.org/#http-cors-protocol */
export default defineFilter({
  doc: 'Answers CORS preflights and tells browsers which origins may read responses; it replaces what the app says of CORS.',
  config: v.pipe(
    v.strictObject({
      allow_origins: doc(
        'Origins that may read responses: https://app.example, * for all, https://*.example.com for all hosts below, or {safe_regex: …} for the whole origin.',
        v.pipe(v.array(origin()), v.minLength(1, 'must name at least one origin')),
      ),
      allow_methods: v.optional(doc('Methods that a preflight allows; * for all.', v.array(token('a method'))), [
        'GET',
        'HEAD',
        'POST',
      ]),
      allow_headers: v.optional(
        doc('Request headers that a preflight allows; * for all but authorization.', v.array(token('a header name'))),
        [],
      ),
      expose_headers: v.optional(
        doc('Response headers that scripts may read; * for all.', v.array(token('a header name'))),
        [],
      ),
      max_age: v.optional(
        doc('How long a browser may keep the answer to a preflight; 0 asks each time.', duration()),
        '10m',
      ),
      allow_credentials: v.optional(
        doc('Scripts may send cookies and client certificates, and read the answers.', v.boolean()),
        false,
      ),
      forward_not_matching_preflights: v.optional(
        doc(
          'A preflight of another origin goes to the app; else it is answered here with 403. Scripts are refused either way.',
          v.boolean(),
        ),
        true,
      ),
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed || !dataset.value.allow_credentials) return;
      const { allow_origins, allow_methods, allow_headers, expose_headers } = dataset.value;
      if (allow_origins.some((origin) => origin.kind === 'any')) {
        addIssue({
          message: 'allow_origins: * with allow_credentials would let every site act as its visitor; name the origins',
        });
      }
      if (allow_origins.some((origin) => origin.kind === 'exact' && origin.text === 'null')) {
        addIssue({
          message: 'allow_origins: null with allow_credentials would let every sandboxed frame act as its visitor',
        });
      }
      for (const [key, values] of Object.entries({ allow_methods, allow_headers, expose_headers })) {
        if (values.includes('*'))
          addIssue({ message: `${key}: browsers take * literally with allow_credentials; name them` });
      }
    }),
  ),
  stats: {
    allowed: 'Requests of an allowed origin, without preflights.',
    preflights: 'Preflights of an allowed origin, answered by this filter.',
    refused: 'Requests of an origin that is not allowed; browsers keep the response from the script.',
  },
  create(config, { stats }) {
    const anyOrigin = config.allow_origins.some((origin) => origin.kind === 'any');
    const matches = compileOrigins(config.allow_origins);
    const preflightHeaders = fields({
      'access-control-allow-methods': config.allow_methods.join(', '),
      'access-control-allow-headers': config.allow_headers.join(', '),
      'access-control-max-age': String(Math.floor(config.max_age / 1000)),
    });
    const exposed = fields({ 'access-control-expose-headers': config.expose_headers.join(', ') });

    return {
      onRequest(request, exchange) {
        const origin = request.headers.get('origin');
        if (origin === undefined) return;
        const preflight = isPreflight(request);
        if (!matches(origin)) {
          stats.refused.add();
          if (preflight && !config.forward_not_matching_preflights) return localReply(403, 'cors_origin_not_allowed');
          return;
        }
        exchange.set(allowed, { origin, preflight });
        if (preflight) {
          stats.preflights.add();
          return localReply(204, 'cors_preflight');
        }
        stats.allowed.add();
      },
      onResponse({ headers }, exchange) {
        headers.filter((name) => !owned.has(name));
        // Also without an Origin, or a cache would hand that answer to a script of an allowed origin (Fetch §3.2.4).
        if (!anyOrigin) addVaryOrigin(headers);
        const reader = exchange.get(allowed);
        if (reader === undefined) return;
        headers.append('access-control-allow-origin', anyOrigin ? '*' : reader.origin);
        if (config.allow_credentials) headers.append('access-control-allow-credentials', 'true');
        for (const [name, value] of reader.preflight ? preflightHeaders : exposed) headers.append(name, value);
      },
    };
  },
});

function isPreflight(request: Request): boolean {
  return request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
}

function fields(candidates: Record<string, string>): [name: string, value: string][] {
  return Object.entries(candidates).filter(([, value]) => value !== '');
}

function addVaryOrigin(headers: Headers): void {
  const listed = headers.get('vary')?.split(',') ?? [];
  if (listed.some((name) => /^\s*(\*|origin)\s*$/i.test(name))) return;
  headers.append('vary', 'Origin');
}

type AllowedOrigin =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly text: string }
  /** `https://` + labels + `.example.com:8443` */
  | { readonly kind: 'below'; readonly prefix: string; readonly suffix: string }
  | { readonly kind: 'regex'; readonly pattern: RegExp };

/** Longer ones are nobody's origin: a host name has at most 253 characters. */
const longestOrigin = 512;

function compileOrigins(origins: readonly AllowedOrigin[]): (origin: string) => boolean {
  if (origins.some((origin) => origin.kind === 'any')) return () => true;
  const exact = new Set(origins.flatMap((origin) => (origin.kind === 'exact' ? [origin.text] : [])));
  const others = origins.filter((origin) => origin.kind === 'below' || origin.kind === 'regex');
  return (origin) =>
    origin.length <= longestOrigin &&
    (exact.has(origin) ||
      others.some((other) =>
        other.kind === 'regex' ? other.pattern.test(origin) : isBelow(origin, other.prefix, other.suffix),
      ));
}

/** The star stands for one label or more, never for a port, a path or a second host. */
function isBelow(origin: string, prefix: string, suffix: string): boolean {
  return (
    origin.startsWith(prefix) &&
    origin.endsWith(suffix) &&
    /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(origin.slice(prefix.length, origin.length - suffix.length))
  );
}

function origin() {
  return v.pipe(
    v.union(
      [v.string(), v.strictObject({ safe_regex: v.string() })],
      'must be an origin such as https://app.example, *, or {safe_regex: …}',
    ),
    v.rawTransform<string | { safe_regex: string }, AllowedOrigin>(({ dataset, addIssue, NEVER }) => {
      try {
        return parseOrigin(dataset.value);
      } catch (error) {
        addIssue({ message: (error as Error).message });
        return NEVER;
      }
    }),
  );
}

function parseOrigin(written: string | { safe_regex: string }): AllowedOrigin {
  if (typeof written !== 'string') return { kind: 'regex', pattern: compileSafeRegex(written.safe_regex) };
  if (written === '*') return { kind: 'any' };
  if (written === 'null') return { kind: 'exact', text: 'null' };
  const star = written.includes('://*.');
  // Browsers write origins in lower case, in punycode and without the default port; so does URL.
  const normal = originOf(star ? written.replace('://*.', '://star.') : written);
  if (normal === undefined) {
    throw new Error(
      `must be an origin such as https://app.example or https://*.example.com, without path, not ${JSON.stringify(written)}`,
    );
  }
  if (!star) return { kind: 'exact', text: normal };
  const prefix = normal.slice(0, normal.indexOf('://') + 3);
  return { kind: 'below', prefix, suffix: normal.slice(prefix.length + 'star'.length) };
}

function originOf(text: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s]+$/i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  // Schemes that URL does not know (chrome-extension:) have the origin "null" there, and one of their own in browsers.
  return url.origin === 'null' ? `${url.protocol}//${url.host}` : url.origin;
}

function token(what: string) {
  return v.pipe(
    v.string(`must be ${what}`),
    v.rawCheck(({ dataset, addIssue }) => {
      if (dataset.typed && !isToken(dataset.value))
        addIssue({ message: `must be ${what} or *, not ${JSON.stringify(dataset.value)}` });
    }),
  );
}
