import { isIP } from 'node:net';
import * as v from 'valibot';
import { durationAtLeast, address, byteSize, doc, duration, integer, name, parseAddress } from '../options/index.ts';
import { loadBalancerNames } from './load-balancer/names.ts';

const endpointSchema = v.union(
  [
    v.pipe(
      address(),
      v.transform((at) => ({ address: at, weight: 1 })),
    ),
    v.strictObject({
      address: doc('Where the app listens: `host:port`, `[v6]:port` or `unix:/path`.', address()),
      weight: v.optional(doc('Share of the requests, relative to the other endpoints.', integer(1, 1000)), 1),
    }),
  ],
  (issue) =>
    typeof issue.input === 'string' && parseAddress(issue.input) === undefined
      ? `must be an address such as 127.0.0.1:8080, [::1]:8080 or unix:/run/app.sock, not ${JSON.stringify(issue.input)}`
      : 'must be an address such as 127.0.0.1:8080, or an object { address, weight }',
);

const retryBudgetSchema = v.strictObject({
  budget_percent: v.optional(
    doc(
      'Retries that the app may have to bear: at most this share of the requests under way, and of all first tries. Tries that never reached the app do not count.',
      integer(0, 100),
    ),
    20,
  ),
  min_retry_concurrency: v.optional(
    doc('So many retries are possible however few requests there are.', integer(0, 1_000_000)),
    3,
  ),
});

const circuitBreakersSchema = v.strictObject({
  max_connections: v.optional(
    doc(
      'Open connections to all endpoints together, or as many as the limit of open files allows; requests beyond it wait for one.',
      integer(1, 65_535),
    ),
    1024,
  ),
  max_pending_requests: v.optional(
    doc('Requests that wait for a connection; beyond it 503 `UO` at once.', integer(0, 1_000_000)),
    1024,
  ),
  max_requests: v.optional(doc('Requests under way; beyond it 503 `UO` at once.', integer(1, 1_000_000)), 1024),
  retry_budget: v.optional(
    doc(
      'Retries in proportion to requests, so that a failing app sees at most that much more load; what goes beyond is not tried again.',
      retryBudgetSchema,
    ),
    {},
  ),
  max_retries: v.optional(
    doc('A fixed ceiling on retries under way, in place of retry_budget; beyond it no retry.', integer(0, 1_000_000)),
  ),
});

const errorRateBreakerSchema = v.strictObject({
  error_threshold_percentage: v.optional(
    doc('The breaker opens when more than this share of the requests in the window failed.', integer(1, 99)),
    50,
  ),
  minimum_requests: v.optional(
    doc('With fewer requests in the window the breaker stays closed.', integer(1, 1_000_000)),
    20,
  ),
  window: v.optional(doc('How far back requests are counted.', durationAtLeast(100, '100ms')), '10s'),
  open_duration: v.optional(
    doc(
      'How long requests are refused before one is let through to see whether the app is back.',
      durationAtLeast(10, '10ms'),
    ),
    '30s',
  ),
  max_open_duration: v.optional(
    doc('Each probe that fails doubles the time until the next one, up to this.', durationAtLeast(10, '10ms')),
    '300s',
  ),
});

const outlierDetectionSchema = v.strictObject({
  consecutive_5xx: v.optional(
    doc(
      'Failures in a row (5xx, reset, timeout, no connection) after which an endpoint is ejected.',
      integer(1, 10_000),
    ),
    5,
  ),
  interval: v.optional(doc('How often ejections are looked at.', durationAtLeast(10, '10ms')), '10s'),
  base_ejection_time: v.optional(
    doc(
      'Length of the first ejection; the next one lasts twice as long, then three times.',
      durationAtLeast(10, '10ms'),
    ),
    '30s',
  ),
  max_ejection_time: v.optional(doc('No ejection lasts longer.', durationAtLeast(10, '10ms')), '300s'),
  max_ejection_percent: v.optional(
    doc(
      'Largest share of the endpoints that is ejected at a time; one always may be, unless it is the only one.',
      integer(0, 100),
    ),
    10,
  ),
});

const holdSchema = v.strictObject({
  max_requests: v.optional(
    doc('Most requests that wait; beyond it 503 at once. 0 turns it off.', integer(0, 1_000_000)),
    1024,
  ),
  max_wait: v.optional(
    doc(
      'Longest wait of a request; never beyond the timeout of its route. Then 503 with `Retry-After`.',
      durationAtLeast(1, '1ms'),
    ),
    '5s',
  ),
  max_outage: v.optional(
    doc(
      'An app that has been away for longer is no longer waited for: 503 at once, until it is back.',
      durationAtLeast(1, '1ms'),
    ),
    '30s',
  ),
  probe_interval: v.optional(
    doc('How often the app is asked for a connection while requests wait.', durationAtLeast(5, '5ms')),
    '50ms',
  ),
});

const statusSchema = v.union(
  [
    v.pipe(
      integer(100, 599),
      v.transform((status) => ({ min: status, max: status })),
    ),
    v.pipe(
      v.strictObject({
        min: doc('Lowest status.', integer(100, 599)),
        max: doc('Highest status.', integer(100, 599)),
      }),
      v.check(({ min, max }) => min <= max, 'min must not be more than max'),
    ),
  ],
  'must be a status such as 200, or a range { min: 200, max: 299 }',
);

const healthCheckSchema = v.pipe(
  v.strictObject({
    http: v.optional(
      doc(
        'Ask with GET. An answer with another status makes the endpoint unhealthy at once.',
        v.strictObject({
          path: v.optional(doc('What to ask for.', v.pipe(v.string(), v.regex(/^\/[!-~]*$/, 'must be a path'))), '/'),
          host: v.optional(
            doc(
              'The host field. Default: name of the cluster.',
              v.pipe(v.string(), v.regex(/^[!-~]+$/, 'must be a host')),
            ),
          ),
          expected_statuses: v.optional(
            doc(
              'Statuses of a healthy endpoint, or ranges `{ min, max }`.',
              v.pipe(v.array(statusSchema), v.minLength(1)),
            ),
            [200],
          ),
        }),
      ),
    ),
    grpc: v.optional(
      doc(
        'Ask grpc.health.v1.Health/Check over HTTP/2 (h2c, or h2 with `tls`): `{}`. Any answer but SERVING makes the endpoint unhealthy at once.',
        v.strictObject({
          service: v.optional(
            doc(
              'Name of the service to ask for. Default: the server as a whole.',
              v.pipe(v.string(), v.maxLength(1000, 'must be at most 1000 characters')),
            ),
            '',
          ),
          authority: v.optional(
            doc(
              'The `:authority` of the request. Default: name of the cluster.',
              v.pipe(v.string(), v.regex(/^[!-~]+$/, 'must be a host')),
            ),
          ),
        }),
      ),
    ),
    tcp: v.optional(doc('Only open a connection: `{}`.', v.strictObject({}))),
    interval: v.optional(doc('Time from check to check.', durationAtLeast(10, '10ms')), '5s'),
    interval_jitter: v.optional(doc('A random time up to this is added to each interval.', duration()), '0s'),
    timeout: v.optional(doc('How long a check may take.', durationAtLeast(1, '1ms')), '1s'),
    unhealthy_threshold: v.optional(
      doc('So many checks in a row without an answer make an endpoint unhealthy.', integer(1, 1000)),
      2,
    ),
    healthy_threshold: v.optional(
      doc('So many good checks in a row make it healthy again. The very first one is enough.', integer(1, 1000)),
      1,
    ),
  }),
  v.check(
    ({ http, grpc, tcp }) => [http, grpc, tcp].filter((kind) => kind !== undefined).length === 1,
    'must have one of http, grpc and tcp, such as { http: { path: /healthz } }',
  ),
);

const slowStartSchema = v.strictObject({
  window: v.optional(
    doc('How long an endpoint that is new or back gets less than its share.', durationAtLeast(1, '1ms')),
    '30s',
  ),
  min_weight_percent: v.optional(doc('The share of its weight that it starts with.', integer(1, 100)), 10),
  aggression: v.optional(
    doc(
      '1 grows evenly; more grows fast at first.',
      v.pipe(v.number('must be a number'), v.minValue(0.1), v.maxValue(100)),
    ),
    1,
  ),
});

const tlsSchema = v.strictObject({
  sni: v.optional(
    doc('Server name to ask for and to verify. Default: the host of the endpoint, if it is a name.', v.string()),
  ),
  ca: v.optional(doc('PEM file of the authorities to trust. Default: those that Node.js comes with.', v.string())),
  insecure_skip_verify: v.optional(doc('Accept any certificate. For development only.', v.boolean()), false),
  certificate: v.optional(doc('PEM file of the client certificate chain.', v.string())),
  private_key: v.optional(doc('PEM file of the key of the client certificate.', v.string())),
});

const resolverAddress = v.pipe(
  v.string('must be an address such as 10.96.0.10 or 10.96.0.10:53'),
  v.check((text) => {
    if (isIP(text) !== 0) return true;
    const at = parseAddress(text);
    return at?.kind === 'tcp' && isIP(at.host) !== 0 && at.port > 0;
  }, 'must be an address such as 10.96.0.10, 10.96.0.10:53 or [fd00::a]:53'),
);

const dnsSchema = v.strictObject({
  resolvers: v.optional(
    doc(
      'Whom to ask. Default: `/etc/hosts`, then the name servers and search domains of `/etc/resolv.conf`, then, for names that they do not know, the system. A list of name servers, `address` or `address:port`, takes their place: the TTL of an answer then says when it is asked for again (after 1s to 5m), and names must be complete. `system` leaves it to `getaddrinfo` of the system, which can look up two names at a time.',
      v.union(
        [v.literal('system'), v.pipe(v.array(resolverAddress), v.minLength(1, 'must list at least one name server'))],
        (issue) =>
          typeof issue.input === 'string'
            ? `must be system, or a list of name servers such as [10.96.0.10], not ${JSON.stringify(issue.input)}`
            : 'must be system, or a list of name servers such as [10.96.0.10]',
      ),
    ),
  ),
  refresh_rate: v.optional(
    doc(
      'How often host names are resolved again: after an error, and unless a TTL says sooner; with a list of `resolvers`, where no TTL is known.',
      durationAtLeast(100, '100ms'),
    ),
    '5s',
  ),
  family: v.optional(doc('Which addresses are used.', v.picklist(['auto', 'ipv4', 'ipv6'])), 'auto'),
});

/** One group of endpoints that serve the same thing. */
export const clusterSchema = v.strictObject({
  name: doc('Name that routes, metrics and logs use.', name()),
  endpoints: doc(
    'Where the app listens. Every address that a host name resolves to is an endpoint of its own.',
    v.pipe(v.array(endpointSchema), v.minLength(1, 'must list at least one endpoint')),
  ),
  lb_policy: v.optional(doc('How an endpoint is chosen.', v.picklist(loadBalancerNames)), 'round_robin'),
  connect_timeout: v.optional(
    doc('How long a connection may take to be there, TLS handshake included.', durationAtLeast(1, '1ms')),
    '5s',
  ),
  idle_timeout: v.optional(
    doc(
      'An unused connection is closed after this. Less than the keep-alive timeout of the app (5s in Node.js) avoids races; a shorter `Keep-Alive: timeout=` hint of the app wins, less one second (half of it at most). When the app is seen to close unused connections earlier, they are not used again shortly before that. 0 is off.',
      duration(),
    ),
    '4s',
  ),
  max_requests_per_connection: v.optional(
    doc('A connection is closed after so many requests. 0 is unlimited.', integer(0, 1_000_000_000)),
    0,
  ),
  max_response_headers: v.optional(
    doc('Largest header section of a response; beyond it 502 `UPE`.', byteSize()),
    '60KiB',
  ),
  circuit_breakers: v.optional(doc('Ceilings on what may be under way at a time.', circuitBreakersSchema), {}),
  error_rate_breaker: v.optional(
    doc(
      'Refuses requests for a while when too many of them fail. Off unless given; `{}` takes the defaults.',
      errorRateBreakerSchema,
    ),
  ),
  outlier_detection: v.optional(
    doc(
      'Leaves endpoints out for a while that fail again and again. Off unless given; `{}` takes the defaults.',
      outlierDetectionSchema,
    ),
  ),
  health_check: v.optional(
    doc(
      'Asks each endpoint again and again whether it is well, and leaves out those that are not. Off unless given.',
      healthCheckSchema,
    ),
  ),
  healthy_panic_threshold: v.optional(
    doc(
      'With a smaller share of healthy endpoints than this, in percent, health is ignored: some answers are better than none. 0 never does.',
      integer(0, 100),
    ),
    50,
  ),
  slow_start: v.optional(
    doc(
      'Lets the share of an endpoint that is new, or back, grow step by step; not with ring_hash. Off unless given; `{}` takes the defaults.',
      slowStartSchema,
    ),
  ),
  hold: v.optional(
    doc(
      'Bridges a restart of the app: when an app that was there refuses connections on all endpoints, requests it has not seen wait ' +
        'for it, whatever their method, and are let go step by step when it is back.',
      holdSchema,
    ),
    {},
  ),
  tls: v.optional(doc('Speak TLS to the endpoints. `{}` takes the defaults; certificates are verified.', tlsSchema)),
  dns: v.optional(doc('How host names are resolved.', dnsSchema), {}),
});

export type ClusterConfig = v.InferOutput<typeof clusterSchema>;
export type CircuitBreakersConfig = ClusterConfig['circuit_breakers'];
export type ErrorRateBreakerConfig = NonNullable<ClusterConfig['error_rate_breaker']>;
export type OutlierDetectionConfig = NonNullable<ClusterConfig['outlier_detection']>;
export type RetryBudgetConfig = CircuitBreakersConfig['retry_budget'];
export type HoldConfig = ClusterConfig['hold'];
export type HealthCheckConfig = NonNullable<ClusterConfig['health_check']>;
export type SlowStartConfig = NonNullable<ClusterConfig['slow_start']>;
export type UpstreamTlsConfig = NonNullable<ClusterConfig['tls']>;

/** A duration that is never zero: 0 would mean something else, or nothing, to a timer. */
