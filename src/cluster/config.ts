import * as v from 'valibot';
import { address, byteSize, doc, duration, integer, name, parseAddress } from '../options/index.ts';
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

const circuitBreakersSchema = v.strictObject({
  max_connections: v.optional(
    doc('Open connections to all endpoints together; requests beyond it wait for one.', integer(1, 65_535)),
    1024,
  ),
  max_pending_requests: v.optional(
    doc('Requests that wait for a connection; beyond it 503 `UO` at once.', integer(0, 1_000_000)),
    1024,
  ),
  max_requests: v.optional(doc('Requests under way; beyond it 503 `UO` at once.', integer(1, 1_000_000)), 1024),
  max_retries: v.optional(doc('Retries under way; beyond it a retry gets 503 `UO`.', integer(0, 1_000_000)), 3),
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
  window: v.optional(doc('How far back requests are counted.', atLeast(100, '100ms')), '10s'),
  open_duration: v.optional(
    doc('How long requests are refused before one is let through to see whether the app is back.', atLeast(10, '10ms')),
    '30s',
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
  interval: v.optional(doc('How often ejections are looked at.', atLeast(10, '10ms')), '10s'),
  base_ejection_time: v.optional(
    doc('Length of the first ejection; the next one lasts twice as long, then three times.', atLeast(10, '10ms')),
    '30s',
  ),
  max_ejection_time: v.optional(doc('No ejection lasts longer.', atLeast(10, '10ms')), '300s'),
  max_ejection_percent: v.optional(
    doc(
      'Largest share of the endpoints that is ejected at a time; one always may be, unless it is the only one.',
      integer(0, 100),
    ),
    10,
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

const dnsSchema = v.strictObject({
  refresh_rate: v.optional(doc('How often host names are resolved again.', atLeast(100, '100ms')), '5s'),
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
    doc('How long a connection may take to be there, TLS handshake included.', atLeast(1, '1ms')),
    '5s',
  ),
  idle_timeout: v.optional(
    doc(
      'An unused connection is closed after this. Less than the keep-alive timeout of the app (5s in Node.js) avoids races; a shorter `Keep-Alive: timeout=` hint of the app, less one second, wins. 0 is off.',
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
  tls: v.optional(doc('Speak TLS to the endpoints. `{}` takes the defaults; certificates are verified.', tlsSchema)),
  dns: v.optional(doc('How host names are resolved.', dnsSchema), {}),
});

export type ClusterConfig = v.InferOutput<typeof clusterSchema>;
export type CircuitBreakersConfig = ClusterConfig['circuit_breakers'];
export type ErrorRateBreakerConfig = NonNullable<ClusterConfig['error_rate_breaker']>;
export type OutlierDetectionConfig = NonNullable<ClusterConfig['outlier_detection']>;
export type UpstreamTlsConfig = NonNullable<ClusterConfig['tls']>;

/** A duration that is never zero: 0 would mean something else, or nothing, to a timer. */
function atLeast(milliseconds: number, shown: string) {
  return v.pipe(duration(), v.minValue(milliseconds, `must be at least ${shown}`));
}
