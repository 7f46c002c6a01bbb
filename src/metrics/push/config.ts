import * as v from 'valibot';
import { diskQueueSchema } from '../../disk-queue/config.ts';
import { otlpEncodingSchema } from '../../otlp/encoding.ts';
import { byteSize, doc, duration, headerName, integer, name } from '../../options/index.ts';

const file = () => v.pipe(v.string('must be a file'), v.minLength(1, 'must be a file'));

const authSchema = v.strictObject({
  bearer_token_file: v.optional(doc('File with a bearer token; read anew for each push.', file())),
  basic: v.optional(
    doc(
      'User name, and file with the password.',
      v.strictObject({
        username: doc('Without a colon.', v.pipe(v.string(), v.regex(/^[^:\p{Cc}]+$/u, 'must not contain a colon'))),
        password_file: doc('File with the password; read anew for each push.', file()),
      }),
    ),
  ),
});

const outputSchema = v.pipe(
  v.strictObject({
    name: doc('Label `output` of the metrics about it.', name()),
    protocol: doc(
      'Prometheus remote write, or OTLP over HTTP.',
      v.picklist(['remote_write', 'otlp_http'], 'must be remote_write or otlp_http'),
    ),
    url: doc(
      'Where to, with its path: http://prometheus:9090/api/v1/write, http://collector:4318/v1/metrics.',
      v.pipe(
        v.string('must be a URL'),
        v.url('must be a URL'),
        v.regex(/^https?:\/\//, 'must begin with http:// or https://'),
        v.check((url) => !/^https?:\/\/[^/?#]*@/.test(url), 'must not contain a password; use auth.basic'),
      ),
    ),
    version: v.optional(
      doc(
        'Version of remote write; 2.0 becomes 1.0 when the receiver answers 415, or does not say how much it has written.',
        v.picklist(['2.0', '1.0'], 'must be 2.0 or 1.0'),
      ),
      '2.0',
    ),
    encoding: otlpEncodingSchema,
    timeout: v.optional(
      doc('How long one push may take.', v.pipe(duration(), v.minValue(1, 'must be at least 1ms'))),
      '30s',
    ),
    headers: v.optional(
      doc('More header fields.', v.record(headerName(), v.pipe(v.string(), v.regex(/^[\t\x20-\x7e]*$/)))),
      {},
    ),
    auth: v.optional(doc('Credentials.', authSchema), {}),
    tls: v.optional(
      doc(
        'For https: other authorities than the usual ones, a certificate of our own. Files are read anew for each push.',
        v.strictObject({
          ca_file: v.optional(doc('Authorities that are trusted, in PEM.', file())),
          certificate_file: v.optional(doc('Our certificate, in PEM.', file())),
          key_file: v.optional(doc('Its key, in PEM.', file())),
          server_name: v.optional(doc('Name that the certificate of the receiver must have.', v.string())),
        }),
      ),
      {},
    ),
    external_labels: v.optional(
      doc(
        'Labels for all series that do not have them; attributes of the resource with OTLP.',
        v.record(v.pipe(v.string(), v.regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/, 'must be a label name')), v.string()),
      ),
      {},
    ),
    max_samples_per_send: v.optional(doc('A push has about so many samples at most.', integer(1, 100_000)), 2000),
    min_backoff: v.optional(
      doc(
        'First pause after a failure that may pass; doubled each time.',
        v.pipe(duration(), v.minValue(1, 'must be at least 1ms')),
      ),
      '1s',
    ),
    max_backoff: v.optional(
      doc(
        'Longest pause, also of those that the receiver asks for.',
        v.pipe(duration(), v.minValue(1, 'must be at least 1ms')),
      ),
      '1m',
    ),
    queue: v.optional(doc('Keeps on the disk what waits. Without it, it waits in memory.', diskQueueSchema)),
    memory_queue_bytes: v.optional(
      doc('Most bytes that wait in memory when there is no queue on the disk; the oldest go.', byteSize()),
      '16MiB',
    ),
    close_timeout: v.optional(doc('How long the last push may take when the sidecar ends.', duration()), '5s'),
  }),
  v.check(
    ({ tls }) => (tls.certificate_file === undefined) === (tls.key_file === undefined),
    'tls needs both certificate_file and key_file',
  ),
  v.check(
    ({ auth }) => auth.basic === undefined || auth.bearer_token_file === undefined,
    'auth must have either bearer_token_file or basic',
  ),
);

export const pushSchema = v.strictObject({
  interval: v.optional(
    doc('Time from push to push.', v.pipe(duration(), v.minValue(100, 'must be at least 100ms'))),
    '15s',
  ),
  outputs: doc(
    'Where to.',
    v.pipe(
      v.array(outputSchema),
      v.minLength(1, 'must have an output'),
      v.maxLength(16, 'must have at most 16 outputs'),
      v.check((outputs) => new Set(outputs.map((each) => each.name)).size === outputs.length, 'names must differ'),
      v.check((outputs) => {
        const paths = outputs.flatMap(({ queue }) => (queue === undefined ? [] : [queue.path]));
        return new Set(paths).size === paths.length;
      }, 'each queue needs a folder of its own'),
    ),
  ),
});

export type PushConfig = v.InferOutput<typeof pushSchema>;
export type OutputConfig = PushConfig['outputs'][number];
