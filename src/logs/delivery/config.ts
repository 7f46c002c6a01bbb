import * as v from 'valibot';
import { otlpEncodingSchema } from '../../otlp/encoding.ts';
import { durationAtLeast, byteSize, doc, duration, headerName, integer } from '../../options/index.ts';

function kind<const K extends string>(name: K) {
  return doc('Which of them; the other options depend on it.', v.literal(name));
}

function sizeOf(least: number, shown: string) {
  return v.pipe(byteSize(), v.minValue(least, `must be at least ${shown}`));
}

function path() {
  return v.pipe(v.string('must be the path of a file'), v.minLength(1, 'must be the path of a file'));
}

/** An http or https URL; comes out without a slash at its end. */
function endpoint() {
  return v.pipe(
    v.string('must be a URL such as https://logs.example:9200'),
    v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
      const url = URL.parse(dataset.value);
      if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
        addIssue({ message: 'must be a URL such as https://logs.example:9200' });
        return NEVER;
      }
      if (url.username !== '' || url.password !== '') {
        addIssue({ message: 'must not contain a user name or a password; write them under auth' });
        return NEVER;
      }
      if (url.hash !== '') {
        addIssue({ message: 'must not contain a fragment (#)' });
        return NEVER;
      }
      return url.href.replace(/\/$/, '');
    }),
  );
}

function endpoints(sentence: string) {
  return doc(
    sentence,
    v.pipe(v.array(endpoint()), v.minLength(1, 'must list at least one URL'), v.maxLength(64, 'must list at most 64')),
  );
}

/** Exactly one of two options that stand for each other. */
function eitherOf(one: unknown, other: unknown): boolean {
  return (one === undefined) !== (other === undefined);
}

const secret = v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'));

const authSchema = v.variant(
  'kind',
  [
    v.pipe(
      v.strictObject({
        kind: kind('bearer'),
        token: v.optional(doc('The token. Better in a file, which may be rotated.', secret)),
        token_file: v.optional(doc('File with the token; read again when it changes.', path())),
      }),
      v.check(({ token, token_file }) => eitherOf(token, token_file), 'must have token_file or token, and not both'),
    ),
    v.pipe(
      v.strictObject({
        kind: kind('basic'),
        username: doc('User name; has no colon.', v.pipe(v.string(), v.regex(/^[^:]+$/, 'must not contain a colon'))),
        password: v.optional(doc('The password. Better in a file, which may be rotated.', secret)),
        password_file: v.optional(doc('File with the password; read again when it changes.', path())),
      }),
      v.check(
        ({ password, password_file }) => eitherOf(password, password_file),
        'must have password_file or password, and not both',
      ),
    ),
    v.pipe(
      v.strictObject({
        kind: kind('api_key'),
        api_key: v.optional(doc('The encoded key. Better in a file, which may be rotated.', secret)),
        api_key_file: v.optional(doc('File with the encoded key; read again when it changes.', path())),
      }),
      v.check(
        ({ api_key, api_key_file }) => eitherOf(api_key, api_key_file),
        'must have api_key_file or api_key, and not both',
      ),
    ),
  ],
  'must have a kind: bearer, basic or api_key',
);

const tlsSchema = v.strictObject({
  ca: v.optional(doc('PEM file of the authorities to trust. Default: those that Node.js comes with.', path())),
  certificate: v.optional(doc('PEM file of the client certificate chain.', path())),
  private_key: v.optional(doc('PEM file of the key of the client certificate.', path())),
  sni: v.optional(doc('Server name to ask for and to verify. Default: the host of the URL.', v.string())),
  insecure_skip_verify: v.optional(doc('Accept any certificate. For development only.', v.boolean()), false),
});

const reserved = ['content-length', 'transfer-encoding', 'content-encoding', 'content-type', 'connection', 'host'];

const overHttp = {
  auth: v.optional(doc('How Portico identifies itself.', authSchema)),
  tls: v.optional(doc('Certificates for https URLs. They are read again when they change.', tlsSchema), {}),
  headers: v.optional(
    doc(
      'Added to each request.',
      v.record(
        v.pipe(
          headerName(),
          v.check((name) => !reserved.includes(name), 'is set by Portico itself'),
        ),
        v.pipe(v.string(), v.regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be text without line ends')),
      ),
    ),
    {},
  ),
  compression: v.optional(
    doc('How bodies are compressed.', v.picklist(['gzip', 'none'], 'must be gzip or none')),
    'gzip',
  ),
  compression_level: v.optional(doc('From 1, fast, to 9, small.', integer(1, 9)), 1),
  connect_timeout: v.optional(
    doc('How long a connection may take to be there, TLS included.', durationAtLeast(1, '1ms')),
    '10s',
  ),
  request_timeout: v.optional(
    doc('How long an attempt may take as a whole; then it counts as failed.', durationAtLeast(1, '1ms')),
    '60s',
  ),
};

const indexName = v.pipe(
  v.string('must be the name of an index'),
  v.regex(
    /^(?:[a-z0-9.]|%[YmdH])(?:[a-z0-9._-]|%[YmdH]){0,200}$/,
    'must be lower-case letters, digits, ., _ and -, with %Y, %m, %d and %H for the time of the record',
  ),
);

const elasticsearchSchema = v.pipe(
  v.strictObject({
    kind: kind('elasticsearch'),
    endpoints: endpoints('URLs of the nodes of Elasticsearch or OpenSearch; they take turns.'),
    data_stream: v.optional(
      doc(
        'Data stream that takes the records.',
        v.pipe(v.string(), v.regex(/^[a-z0-9.][a-z0-9._-]{0,200}$/, 'must be lower-case letters, digits, ., _ and -')),
      ),
    ),
    index: v.optional(
      doc(
        'Index that takes the records, instead of a data stream: `app-%Y.%m.%d`. The date is that of the record, in UTC, so a repeat goes to the same index.',
        indexName,
      ),
    ),
    pipeline: v.optional(doc('Ingest pipeline that the store runs.', v.pipe(v.string(), v.minLength(1)))),
    ...overHttp,
  }),
  v.check(({ data_stream, index }) => eitherOf(data_stream, index), 'must have data_stream or index, and not both'),
);

const fieldName = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const labelName = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/, 'must be a label name: letters, digits and _'),
);

const otlpSchema = v.strictObject({
  kind: kind('otlp_http'),
  endpoints: endpoints('URLs of OTLP/HTTP receivers, without /v1/logs; they take turns.'),
  encoding: otlpEncodingSchema,
  resource_fields: v.optional(
    doc(
      'Fields that describe the resource rather than the record; with all that is below them.',
      v.pipe(v.array(fieldName), v.maxLength(64)),
    ),
    ['k8s', 'kubernetes', 'service', 'host', 'container', 'deployment', 'pod'],
  ),
  resource: v.optional(doc('More attributes of the resource.', v.record(fieldName, v.string())), {}),
  ...overHttp,
});

const lokiSchema = v.strictObject({
  kind: kind('loki'),
  endpoints: endpoints('URLs of Loki, without /loki/api/v1/push; they take turns.'),
  labels: v.optional(
    doc(
      'Labels of the streams, and the field that each one is taken from; `kubernetes.pod` is pod in kubernetes. Few, and of few values each.',
      v.pipe(
        v.record(labelName, fieldName),
        v.check((labels) => Object.keys(labels).length <= 15, 'must be at most 15 labels'),
      ),
    ),
    {},
  ),
  static_labels: v.optional(doc('Labels of all streams.', v.record(labelName, v.string())), { job: 'portico' }),
  max_streams: v.optional(
    doc('Different streams from then on go to one stream with the label overflow="true".', integer(1, 100_000)),
    1000,
  ),
  line: v.optional(
    doc(
      'json ships the whole record as one object; message ships the message alone, the rest in structured metadata.',
      v.picklist(['json', 'message'], 'must be json or message'),
    ),
    'json',
  ),
  tenant: v.optional(doc('Value of X-Scope-OrgID.', v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/)))),
  ...overHttp,
});

const httpSchema = v.strictObject({
  kind: kind('http'),
  endpoints: endpoints('URLs that take a POST of JSON lines; they take turns.'),
  ...overHttp,
});

const stdoutSchema = v.strictObject({ kind: kind('stdout') });

const fileSchema = v.strictObject({
  kind: kind('file'),
  path: doc('File that the records are appended to, as JSON lines.', path()),
  max_bytes: v.optional(doc('The file is renamed to PATH.1 when it is larger. 0 is never.', byteSize()), 0),
  keep: v.optional(doc('So many renamed files are kept.', integer(1, 1000)), 5),
});

export const outputSchema = v.variant(
  'kind',
  [elasticsearchSchema, otlpSchema, lokiSchema, httpSchema, stdoutSchema, fileSchema],
  'must have a kind: elasticsearch, otlp_http, loki, http, stdout or file',
);

const bufferSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: kind('memory'),
      max_bytes: v.optional(
        doc('Memory for records on their way; when it is full, reading pauses.', sizeOf(65_536, '64KiB')),
        '4MiB',
      ),
    }),
    v.strictObject({
      kind: kind('disk'),
      path: doc('Folder of the buffer, of one Portico alone.', path()),
      max_bytes: v.optional(
        doc(
          'Most bytes that it takes on the disk. A record that takes more than a quarter of them goes to the dead-letter file.',
          sizeOf(1_048_576, '1MiB'),
        ),
        '1GiB',
      ),
      when_full: v.optional(
        doc(
          'block pauses reading, and nothing is lost; drop_oldest loses the oldest records, and counts them.',
          v.picklist(['block', 'drop_oldest'], 'must be block or drop_oldest'),
        ),
        'block',
      ),
      memory_bytes: v.optional(
        doc('Memory for records between the file, the disk and the store.', sizeOf(65_536, '64KiB')),
        '16MiB',
      ),
    }),
  ],
  'must have a kind: memory or disk',
);

export const deliverySchema = v.strictObject({
  output: doc('The store that takes the records.', outputSchema),
  batch: v.optional(
    doc(
      'Records are sent together. A batch goes when one of these is reached.',
      v.strictObject({
        max_bytes: v.optional(doc('Bytes before compression, about.', sizeOf(1024, '1KiB')), '1MiB'),
        max_records: v.optional(doc('Records.', integer(1, 100_000)), 5000),
        max_wait: v.optional(doc('How long a record waits for others.', durationAtLeast(1, '1ms')), '1s'),
      }),
    ),
    {},
  ),
  buffer: v.optional(doc('Where records wait while the store is slow or away.', bufferSchema), { kind: 'memory' }),
  retry: v.optional(
    doc(
      'What happens when a batch could not be delivered.',
      v.strictObject({
        base_interval: v.optional(
          doc(
            'Longest pause after the first failure; it doubles with each further one. The pause is random, between 0 and this.',
            durationAtLeast(1, '1ms'),
          ),
          '1s',
        ),
        max_interval: v.optional(doc('The pause grows no longer.', durationAtLeast(1, '1ms')), '30s'),
        give_up_after: v.optional(
          doc(
            'A batch that could not be delivered for so long goes to the dead-letter file. 0 tries for ever.',
            duration(),
          ),
          0,
        ),
      }),
    ),
    {},
  ),
  dead_letter: v.optional(
    doc(
      'Where records go that the store refuses for good. Default: dead-letter.ndjson in `state.folder`.',
      v.strictObject({
        path: doc('File of JSON lines: reason, time, source, offset and record.', path()),
        max_bytes: v.optional(doc('The file is renamed to PATH.1 when it is larger.', sizeOf(4096, '4KiB')), '64MiB'),
        keep: v.optional(doc('So many renamed files are kept; the oldest is lost, and counted.', integer(1, 100)), 1),
      }),
    ),
  ),
  max_in_flight: v.optional(
    doc(
      'Batches under way at a time. Records of one file always go one batch after the other; more than 1 helps with several files.',
      integer(1, 32),
    ),
    1,
  ),
});

export type DeliveryConfig = v.InferOutput<typeof deliverySchema>;
export type OutputConfig = DeliveryConfig['output'];
export type HttpOutputConfig = Extract<OutputConfig, { endpoints: unknown }>;
export type ElasticsearchConfig = Extract<OutputConfig, { kind: 'elasticsearch' }>;
export type OtlpConfig = Extract<OutputConfig, { kind: 'otlp_http' }>;
export type LokiConfig = Extract<OutputConfig, { kind: 'loki' }>;
export type FileOutputConfig = Extract<OutputConfig, { kind: 'file' }>;
export type DiskBufferConfig = Extract<DeliveryConfig['buffer'], { kind: 'disk' }>;
export type DeadLetterConfig = NonNullable<DeliveryConfig['dead_letter']>;

/** What is refused must not be lost because nobody has said where it shall go. */
export function deadLetterAt(path: string): DeadLetterConfig {
  return { path, max_bytes: 64 * 1024 * 1024, keep: 1 };
}
