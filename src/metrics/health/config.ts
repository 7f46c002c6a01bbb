import * as v from 'valibot';
import { durationAtLeast, address, doc, integer, name } from '../../options/index.ts';

const status = v.union(
  [
    integer(100, 599),
    v.pipe(
      v.strictObject({
        min: doc('Lowest status.', integer(100, 599)),
        max: doc('Highest status.', integer(100, 599)),
      }),
      v.check(({ min, max }) => min <= max, 'min must not be larger than max'),
    ),
  ],
  'must be a status such as 200, or a range such as { min: 200, max: 299 }',
);

const httpProbe = v.strictObject({
  address: v.optional(doc('Where to ask.', address()), '127.0.0.1:8080'),
  path: v.optional(doc('What to ask for.', v.pipe(v.string(), v.regex(/^\/[!-~]*$/, 'must be a path'))), '/'),
  host: v.optional(
    doc('The host field. Default: the address.', v.pipe(v.string(), v.regex(/^[!-~]+$/, 'must be a host'))),
  ),
  expected_statuses: v.optional(
    doc(
      'Statuses of a healthy app, or ranges `{ min, max }`.',
      v.pipe(v.array(status), v.minLength(1, 'must have a status')),
    ),
    [{ min: 200, max: 299 }],
  ),
});

const checkSchema = v.pipe(
  v.strictObject({
    name: doc('Label `check` of its metrics.', name()),
    http: v.optional(doc('Ask with GET and look at the status.', httpProbe)),
    tcp: v.optional(
      doc(
        'Only open a connection.',
        v.strictObject({ address: v.optional(doc('Where to.', address()), '127.0.0.1:8080') }),
      ),
    ),
    grpc: v.optional(
      doc(
        'Call grpc.health.v1.Health/Check over HTTP/2 without TLS.',
        v.strictObject({
          address: v.optional(doc('Where to.', address()), '127.0.0.1:8080'),
          service: v.optional(
            doc('Service that is asked about; empty is the whole server.', v.pipe(v.string(), v.maxLength(256))),
            '',
          ),
        }),
      ),
    ),
    interval: v.optional(
      doc('Time from check to check; a tenth is added or not, at random.', durationAtLeast(10, '10ms')),
      '10s',
    ),
    timeout: v.optional(doc('How long a check may take.', durationAtLeast(1, '1ms')), '1s'),
    unhealthy_threshold: v.optional(doc('So many failures in a row make it unhealthy.', integer(1, 1000)), 3),
    healthy_threshold: v.optional(
      doc('So many successes in a row make it healthy again. The very first one is enough.', integer(1, 1000)),
      1,
    ),
    required: v.optional(doc('Whether the sidecar is ready only while this check is healthy.', v.boolean()), false),
  }),
  v.check(
    ({ http, tcp, grpc }) => [http, tcp, grpc].filter((probe) => probe !== undefined).length === 1,
    'must have one of http, tcp and grpc, such as { http: { path: /healthz } }',
  ),
);

export const healthSchema = v.strictObject({
  checks: doc(
    'What is checked.',
    v.pipe(
      v.array(checkSchema),
      v.minLength(1, 'must have a check'),
      v.maxLength(100, 'must have at most 100 checks'),
      v.check((checks) => new Set(checks.map((check) => check.name)).size === checks.length, 'names must differ'),
    ),
  ),
});

export type HealthConfig = v.InferOutput<typeof healthSchema>;
export type CheckConfig = HealthConfig['checks'][number];
export type HttpProbeConfig = NonNullable<CheckConfig['http']>;
