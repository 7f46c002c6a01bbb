import * as v from 'valibot';
import { Headers, isFieldValue, isToken, removeHopByHop } from '../http/index.ts';
import { doc, duration, headerName, integer, name, safeRegex } from '../options/index.ts';
import { compileSubstitution, type PathSubstitution } from './path-substitution.ts';
import { retryPolicySchema } from './retry-config.ts';

/** What a pattern that is rewritten may and may not be is checked with the same rules as one that is matched. */
const pathCharacters = /^\/[!-"$->@-~]*$/;

function pathText() {
  const message = 'must be a path: it begins with / and has no query, fragment, space or character beyond ASCII';
  return v.pipe(v.string(message), v.regex(pathCharacters, message));
}

function authority() {
  const message = 'must be a host such as app.example or app.example:8443';
  return v.pipe(v.string(message), v.regex(/^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, message));
}

function headerValue() {
  return v.pipe(
    v.string('must be text; write numbers and true or false in quotes'),
    v.check(isFieldValue, 'must not have control characters, line breaks or characters beyond Latin-1'),
  );
}

/** A field that may be edited: framing and connection management belong to whoever owns the connection. */
function editableHeader() {
  return v.pipe(
    headerName(),
    v.check((field) => !belongsToCodec(field), 'is written by Portico itself and cannot be edited'),
  );
}

function belongsToCodec(lowerName: string): boolean {
  if (lowerName === 'content-length') return true;
  const probe = new Headers([lowerName, '']);
  removeHopByHop(probe);
  return probe.size === 0;
}

function oneOrMany() {
  return v.pipe(
    v.union([headerValue(), v.array(headerValue())], 'must be text, or a list of texts'),
    v.transform((value): string[] => (typeof value === 'string' ? [value] : value)),
  );
}

function countGiven(options: object, keys: readonly string[]): number {
  return keys.filter((key) => (options as Record<string, unknown>)[key] !== undefined).length;
}

function exactlyOneOf<T extends object>(...keys: (keyof T & string)[]) {
  return v.check<T, string>((options) => countGiven(options, keys) === 1, `must have exactly one of ${listed(keys)}`);
}

function atMostOneOf<T extends object>(...keys: (keyof T & string)[]) {
  return v.check<T, string>(
    (options) => countGiven(options, keys) <= 1,
    `must not have more than one of ${listed(keys)}`,
  );
}

function listed(keys: readonly string[]): string {
  return `${keys.slice(0, -1).join(', ')} and ${keys.at(-1)}`;
}

const headerEditsSchema = v.strictObject({
  remove: v.optional(doc('Fields to remove, before anything is added.', v.array(editableHeader())), []),
  set: v.optional(
    doc('Fields to set; every line of the same name is replaced.', v.record(editableHeader(), headerValue())),
    {},
  ),
  add_if_absent: v.optional(
    doc('Fields to add if there is none of the name.', v.record(editableHeader(), headerValue())),
    {},
  ),
  append: v.optional(
    doc('Lines to add after those of the same name; a list adds several.', v.record(editableHeader(), oneOrMany())),
    {},
  ),
});

const requestHeaderEditsSchema = v.pipe(
  headerEditsSchema,
  v.check(
    (edits) =>
      ![edits.set, edits.add_if_absent, edits.append].some((fields) => 'host' in fields) &&
      !edits.remove.includes('host'),
    'host is not edited here: use host_rewrite of the route',
  ),
);

/** `:scheme` and its like are Envoy's way to look at the request line. */
export const pseudoHeaders = [':method', ':scheme', ':authority', ':path'] as const;

const headerMatcherSchema = v.pipe(
  v.strictObject({
    name: doc(
      'Name of the header. `:method`, `:scheme`, `:authority` (or `host`) and `:path` (with its query) are the parts of the request line.',
      v.union(
        [v.picklist(pseudoHeaders), headerName()],
        'must be a header name, :method, :scheme, :authority or :path',
      ),
    ),
    exact: v.optional(doc('The value is exactly this.', v.string())),
    prefix: v.optional(doc('The value begins with this.', v.string())),
    suffix: v.optional(doc('The value ends with this.', v.string())),
    contains: v.optional(doc('The value contains this.', v.string())),
    safe_regex: v.optional(doc('The whole value matches this regular expression.', safeRegex())),
    present: v.optional(
      doc('The header is there, or with false is not there. The default, if nothing else is asked of it.', v.boolean()),
    ),
    invert_match: v.optional(
      doc(
        'Matches when the rest does not. A missing header matches neither way; ask for that with `present: false`.',
        v.boolean(),
      ),
      false,
    ),
  }),
  atMostOneOf('exact', 'prefix', 'suffix', 'contains', 'safe_regex', 'present'),
);

const queryMatcherSchema = v.pipe(
  v.strictObject({
    name: doc(
      'Name of the query parameter, percent-decoded. The first one of the name counts.',
      v.pipe(v.string(), v.minLength(1)),
    ),
    exact: v.optional(doc('The value is exactly this.', v.string())),
    safe_regex: v.optional(doc('The whole value matches this regular expression.', safeRegex())),
    present: v.optional(
      doc(
        'The parameter is there, or with false is not there. The default, if nothing else is asked of it.',
        v.boolean(),
      ),
    ),
  }),
  atMostOneOf('exact', 'safe_regex', 'present'),
);

const matchSchema = v.pipe(
  v.strictObject({
    prefix: v.optional(doc('The path begins with this.', pathText())),
    path: v.optional(
      doc(
        'The path is exactly this; `*` is that of OPTIONS *.',
        v.union([v.literal('*'), pathText()], 'must be a path, or *'),
      ),
    ),
    path_separated_prefix: v.optional(
      doc(
        'The path is this, or begins with it and a slash: /api matches /api and /api/users, not /apis.',
        v.pipe(pathText(), v.regex(/[^/]$/, 'must not end with a slash')),
      ),
    ),
    safe_regex: v.optional(doc('The whole path matches this regular expression.', safeRegex())),
    case_sensitive: v.optional(doc('Whether upper and lower case differ in the path.', v.boolean()), true),
    methods: v.optional(
      doc(
        'Methods of which the request has one; none means all.',
        v.array(v.pipe(v.string(), v.check(isToken, 'must be a method such as GET'), v.toUpperCase())),
      ),
      [],
    ),
    headers: v.optional(doc('Headers which must all match.', v.array(headerMatcherSchema)), []),
    query_parameters: v.optional(doc('Query parameters which must all match.', v.array(queryMatcherSchema)), []),
  }),
  exactlyOneOf('prefix', 'path', 'path_separated_prefix', 'safe_regex'),
);

const regexRewriteSchema = v.pipe(
  v.strictObject({
    pattern: doc(
      'Every part of the path that matches this regular expression is replaced; anchor it with ^ and $.',
      v.string(),
    ),
    substitution: doc(
      'What takes its place; \\1 to \\9 are the groups, \\0 is all that matched.',
      v.pipe(v.string(), v.regex(/^[!-"$->@-~]*$/, 'must not have a query, fragment, space or character beyond ASCII')),
    ),
  }),
  v.rawTransform<{ pattern: string; substitution: string }, PathSubstitution>(({ dataset, addIssue, NEVER }) => {
    try {
      return compileSubstitution(dataset.value.pattern, dataset.value.substitution);
    } catch (error) {
      addIssue({ message: (error as Error).message });
      return NEVER;
    }
  }),
);

const hashPolicySchema = v.pipe(
  v.strictObject({
    header: v.optional(doc('Hash the value of this header.', headerName())),
    cookie: v.optional(
      doc('Hash the value of this cookie.', v.pipe(v.string(), v.check(isToken, 'must be the name of a cookie'))),
    ),
    source_ip: v.optional(doc("Hash the client's address.", v.literal(true, 'must be true'))),
    query_parameter: v.optional(doc('Hash the value of this query parameter.', v.pipe(v.string(), v.minLength(1)))),
  }),
  exactlyOneOf('header', 'cookie', 'source_ip', 'query_parameter'),
);

const weightedClusterSchema = v.strictObject({
  name: doc('Name of the cluster.', name()),
  weight: doc('Share of requests, relative to the sum of all weights here.', integer(0, 1_000_000)),
});

const forwardSchema = v.pipe(
  v.strictObject({
    cluster: v.optional(doc('Name of the cluster that gets the requests.', name())),
    weighted_clusters: v.optional(
      doc('Clusters that share the requests by weight.', v.pipe(v.array(weightedClusterSchema), v.minLength(1))),
    ),
    timeout: v.optional(
      doc(
        'Longest wait for the response head, all tries and the waits between them included, from the moment the whole request is ' +
          'here; 0 is off. The response body has no such limit, only idle_timeout, so downloads and event streams need no exception.',
        duration(),
      ),
      '15s',
    ),
    idle_timeout: v.optional(
      doc(
        "Longest time without a byte in either direction; 0 is off. Default: the listener's stream idle timeout.",
        duration(),
      ),
    ),
    prefix_rewrite: v.optional(doc('What takes the place of the matched prefix or path.', pathText())),
    regex_rewrite: v.optional(doc('Rewrites the path by a regular expression; the query stays.', regexRewriteSchema)),
    host_rewrite: v.optional(doc('The host that the app sees.', authority())),
    hash_policy: v.optional(
      doc('What ring hash chooses the endpoint by; several are combined.', v.array(hashPolicySchema)),
      [],
    ),
    retry_policy: v.optional(
      doc(
        'When a request is tried again. By default once: after a connect failure whatever the method, and for idempotent methods ' +
          'when the connection ended without a response.',
        retryPolicySchema,
      ),
      {},
    ),
    upgrades: v.optional(
      doc(
        'Protocols that clients may upgrade to; other upgrades are refused with 403.',
        v.array(
          v.pipe(
            v.string(),
            v.check(isToken, 'must be the name of a protocol such as websocket'),
            v.toLowerCase(),
            // An h2c tunnel would carry requests past every filter.
            v.notValue('h2c', 'h2c cannot be tunnelled: its requests would bypass the filters'),
          ),
        ),
      ),
      ['websocket'],
    ),
  }),
  exactlyOneOf('cluster', 'weighted_clusters'),
  atMostOneOf('prefix_rewrite', 'regex_rewrite'),
);

const redirectSchema = v.pipe(
  v.strictObject({
    https_redirect: v.optional(doc('Send the client to https; a port 80 is dropped.', v.boolean()), false),
    host_redirect: v.optional(doc('Send the client to this host.', authority())),
    port_redirect: v.optional(doc('Send the client to this port.', integer(1, 65535))),
    path_redirect: v.optional(
      doc(
        'Send the client to this path; with a query of its own it replaces that of the request.',
        v.pipe(v.string(), v.regex(/^\/[!-"$-~]*$/, 'must be a path that begins with /')),
      ),
    ),
    prefix_rewrite: v.optional(doc('What takes the place of the matched prefix or path.', pathText())),
    response_code: v.optional(doc('Status of the answer.', v.picklist([301, 302, 303, 307, 308])), 301),
    strip_query: v.optional(doc('Leave the query away.', v.boolean()), false),
  }),
  atMostOneOf('path_redirect', 'prefix_rewrite'),
  v.check(
    (to) =>
      to.https_redirect ||
      countGiven(to, ['host_redirect', 'port_redirect', 'path_redirect', 'prefix_rewrite']) > 0 ||
      to.strip_query,
    'would send the client to where it came from; say what changes: https_redirect, host_redirect, port_redirect, path_redirect or prefix_rewrite',
  ),
);

const directResponseSchema = v.pipe(
  v.strictObject({
    status: doc('Status of the answer.', integer(200, 599)),
    body: v.optional(doc('Content of the answer, text/plain unless headers say otherwise.', v.string()), ''),
    headers: v.optional(doc('Headers of the answer.', v.record(editableHeader(), oneOrMany())), {}),
  }),
  v.check(
    ({ status, body }) => body === '' || ![204, 205, 304].includes(status),
    'an answer of status 204, 205 or 304 has no body',
  ),
);

export const routeSchema = v.pipe(
  v.strictObject({
    name: v.optional(doc('Name in logs and metrics. Default: virtual host and position, such as app/0.', name())),
    match: v.optional(doc('Which requests take this route. The first route that matches is taken.', matchSchema), {
      prefix: '/',
    }),
    route: v.optional(doc('Forward the request to a cluster.', forwardSchema)),
    redirect: v.optional(doc('Send the client elsewhere.', redirectSchema)),
    direct_response: v.optional(doc('Answer at once.', directResponseSchema)),
    request_headers: v.optional(
      doc(
        "Edits of the request headers, after the virtual host's. For values from the request see the filter `headers`.",
        requestHeaderEditsSchema,
      ),
      {},
    ),
    response_headers: v.optional(
      doc("Edits of the response headers, after the virtual host's, on what this route answers.", headerEditsSchema),
      {},
    ),
    per_filter_config: v.optional(
      doc(
        'Other options of a filter on this route, by the id of the filter; `disabled: true` turns it off here.',
        v.record(v.string(), v.record(v.string(), v.unknown(), 'must be options of a filter')),
      ),
      {},
    ),
  }),
  exactlyOneOf('route', 'redirect', 'direct_response'),
  v.check(
    ({ match, route, redirect }) =>
      match.safe_regex === undefined || (route?.prefix_rewrite === undefined && redirect?.prefix_rewrite === undefined),
    'prefix_rewrite needs a match by prefix, path or path_separated_prefix; use regex_rewrite with safe_regex',
  ),
);

const domainMessage = 'must be a host (app.example), *.suffix, prefix.* or *';

function domain() {
  return v.pipe(
    v.string(domainMessage),
    v.toLowerCase(),
    v.check(
      (text) => !/^(?:[^:]+|\[.*\]):\d+$/.test(text),
      'must not have a port: the port of the request does not matter',
    ),
    v.regex(/^(?:\*|\*\.[\w-][\w.-]*|[\w-][\w.-]*\.\*|[\w-][\w.-]*|\[[0-9a-f:.]+\])$/, domainMessage),
    v.transform((text) => (text.endsWith('.') ? text.slice(0, -1) : text)),
  );
}

export const virtualHostSchema = v.strictObject({
  name: doc('Name in logs and metrics.', name()),
  domains: doc(
    'Hosts that are served: exact (app.example), *.suffix, prefix.* or *. Exact goes before the longest suffix, that before the longest prefix, that before *.',
    v.pipe(v.array(domain()), v.minLength(1, "must name at least one domain; '*' is for all")),
  ),
  routes: v.optional(doc('Routes, of which the first that matches is taken.', v.array(routeSchema)), []),
  request_headers: v.optional(
    doc('Edits of the request headers on every route that forwards.', requestHeaderEditsSchema),
    {},
  ),
  response_headers: v.optional(
    doc('Edits of the response headers on what every route answers.', headerEditsSchema),
    {},
  ),
});

export type VirtualHostConfig = v.InferOutput<typeof virtualHostSchema>;
export type RouteConfig = v.InferOutput<typeof routeSchema>;
export type MatchConfig = v.InferOutput<typeof matchSchema>;
export type HeaderMatcherConfig = v.InferOutput<typeof headerMatcherSchema>;
export type QueryMatcherConfig = v.InferOutput<typeof queryMatcherSchema>;
export type HeaderEditsConfig = v.InferOutput<typeof headerEditsSchema>;
export type ForwardConfig = v.InferOutput<typeof forwardSchema>;
export type HashPolicyConfig = v.InferOutput<typeof hashPolicySchema>;
export type RedirectConfig = v.InferOutput<typeof redirectSchema>;
export type DirectResponseConfig = v.InferOutput<typeof directResponseSchema>;
