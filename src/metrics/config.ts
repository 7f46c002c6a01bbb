import * as v from 'valibot';
import { byteSize, doc, duration, headerName, integer, name } from '../options/index.ts';
import { roleSchema } from '../role/role-schema.ts';
import { derivedSchema } from './derived/config.ts';
import { healthSchema } from './health/config.ts';
import { podSchema } from '../pod/config.ts';
import { labelClashPolicies } from './label-clash.ts';
import { isPodValue, podFacts } from './pod-labels.ts';
import { pressureSchema } from './pressure/config.ts';
import { processSchema } from './process/config.ts';
import { pushSchema } from './push/config.ts';
import { relabelRulesSchema } from './relabel/config.ts';

const url = v.pipe(
  v.string('must be a URL such as http://127.0.0.1:8080/metrics'),
  v.rawTransform<string, URL>(({ dataset, addIssue, NEVER }) => {
    const parsed = URL.canParse(dataset.value) ? new URL(dataset.value) : undefined;
    if (parsed !== undefined && ['http:', 'https:'].includes(parsed.protocol)) {
      if (parsed.username === '' && parsed.password === '') return parsed;
      addIssue({ message: 'must not have a user name or password; write basic_auth' });
      return NEVER;
    }
    addIssue({ message: `must be a URL such as http://127.0.0.1:8080/metrics, not ${JSON.stringify(dataset.value)}` });
    return NEVER;
  }),
  v.metadata({ format: 'uri' }),
);

/** `le` and `quantile` tell the parts of a histogram or summary apart: as a label for all they would break both. */
const labelName = v.pipe(
  v.string('must be a label name'),
  v.regex(
    /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/,
    'must be a label name of letters, digits and _, not with __ at its beginning',
  ),
  v.check(
    (label) => label !== 'le' && label !== 'quantile',
    'must not be le or quantile, which histograms and summaries need',
  ),
);
const labelsSchema = v.pipe(
  v.record(labelName, v.pipe(v.string('must be text'), v.maxLength(1024, 'must be at most 1024 characters'))),
  v.transform((labels): ReadonlyMap<string, string> => new Map(Object.entries(labels))),
);

const limitsSchema = v.strictObject({
  sample_limit: v.optional(doc('Samples after relabelling.', integer(1, 10_000_000)), 200_000),
  label_limit: v.optional(doc('Labels of a sample after relabelling.', integer(1, 1000)), 64),
  label_name_length_limit: v.optional(doc('Characters of a label’s name.', integer(1, 65_536)), 512),
  label_value_length_limit: v.optional(doc('Characters of a label’s value.', integer(1, 65_536)), 8192),
  body_size_limit: v.optional(doc('Bytes of the answer, decompressed.', byteSize()), '32MiB'),
});

const token = v.pipe(v.string('must be text'), v.regex(/^[!-~]+$/, 'must be visible ASCII without blanks'));

const targetSchema = v.pipe(
  v.strictObject({
    name: doc('Of the target in own metrics and in the log.', name()),
    url: doc('Where the metrics are.', url),
    timeout: v.optional(
      doc(
        'Longest time of a scrape; less where the scraper itself has less patience.',
        v.pipe(duration(), v.minValue(1, 'must be at least 1ms')),
      ),
      '10s',
    ),
    format: v.optional(
      doc(
        'What the app is asked for first. `openmetrics` brings exemplars; `protobuf` native histograms as well; `text` is for an app whose OpenMetrics is faulty.',
        v.picklist(['openmetrics', 'text', 'protobuf'], 'must be openmetrics, text or protobuf'),
      ),
      'openmetrics',
    ),
    labels: v.optional(doc('Added to the series of this target.', labelsSchema), {}),
    label_clash: v.optional(
      doc(
        'What happens to a label of the app that has the name of an added one: `rename` keeps it as `exported_x`, `keep` leaves it and does not add, `override` replaces it.',
        v.picklist(labelClashPolicies, `must be one of ${labelClashPolicies.join(', ')}`),
      ),
      'rename',
    ),
    metric_relabel_configs: v.optional(
      doc('Rules for each series, in their order, after labels were added; as in Prometheus.', relabelRulesSchema),
      [],
    ),
    invalid_lines: v.optional(
      doc(
        '`drop` leaves out a line that cannot be read and counts it; `refuse` takes nothing of a page that has one.',
        v.picklist(['drop', 'refuse'], 'must be drop or refuse'),
      ),
      'drop',
    ),
    limits: v.optional(doc('More than that, and nothing of the page is taken, as in Prometheus.', limitsSchema), {}),
    basic_auth: v.optional(
      doc(
        'Sent to the app.',
        v.strictObject({
          username: doc(
            'Without a colon.',
            v.pipe(v.string('must be text'), v.regex(/^[^:\p{Cc}]*$/u, 'must not have a colon')),
          ),
          password: doc(
            'Best as `file:/run/secrets/…`, which is read again when it changes.',
            v.pipe(v.string('must be text'), v.regex(/^\P{Cc}*$/u, 'must not have control characters')),
          ),
        }),
      ),
    ),
    bearer_token: v.optional(
      doc('Sent to the app; best as `file:/run/secrets/…`, which is read again when it changes.', token),
    ),
    headers: v.optional(
      doc(
        'More fields of the request.',
        v.record(
          headerName(),
          v.pipe(v.string('must be text'), v.regex(/^[\t -~]*$/, 'must be ASCII without line breaks')),
        ),
      ),
      {},
    ),
    tls: v.optional(
      doc(
        'For https.',
        v.strictObject({
          ca: v.optional(
            doc(
              'Certificates in PEM that are trusted, `file:/…`; those of the system otherwise.',
              v.string('must be text'),
            ),
          ),
          server_name: v.optional(
            doc('Name that the certificate must have; the host of the URL otherwise.', v.string('must be text')),
          ),
          insecure_skip_verify: v.optional(doc('Takes any certificate.', v.boolean('must be true or false')), false),
        }),
      ),
      {},
    ),
  }),
  v.check(
    ({ basic_auth, bearer_token }) => basic_auth === undefined || bearer_token === undefined,
    'has basic_auth and bearer_token; only one can be sent',
  ),
);
export type TargetConfig = v.InferOutput<typeof targetSchema>;

export const metricsEntries = {
  targets: v.optional(
    doc(
      'The apps that are scraped. Their series stand in one page, so those of two targets must differ in a label.',
      v.pipe(
        v.array(targetSchema, 'must be a list of targets'),
        v.maxLength(64, 'must be at most 64 targets'),
        v.check(
          (targets) => new Set(targets.map((one) => one.name)).size === targets.length,
          'has two targets of the same name',
        ),
      ),
    ),
    [{ name: 'app', url: 'http://127.0.0.1:8080/metrics' }],
  ),
  labels: v.optional(doc('Added to all series, own ones as well.', labelsSchema), {}),
  pod: v.optional(doc('Where the sidecar learns which pod it is in.', podSchema), {}),
  pod_labels: v.optional(
    doc(
      'Labels that say which pod a series is from, each with what of the pod it is: name, namespace, uid, ip, node, container, `labels.KEY` or `annotations.KEY`. What is not known is left out.',
      v.record(
        labelName,
        v.pipe(
          v.string('must be text'),
          v.check(isPodValue, `must be one of ${podFacts.join(', ')}, labels.KEY or annotations.KEY`),
        ),
      ),
    ),
    { pod: 'name', namespace: 'namespace', node: 'node' },
  ),
  health: v.optional(doc('Health checks of the app, as metrics and for `/ready`.', healthSchema)),
  process: v.optional(doc('What the process of the app uses, read from /proc.', processSchema)),
  pressure: v.optional(doc('What the control group of the app uses and waits for.', pressureSchema)),
  derived: v.optional(doc('Metrics made of lines of the app’s logs and of JSON.', derivedSchema)),
  push: v.optional(doc('Sends all that the page has, besides showing it.', pushSchema)),
  scrape_interval: v.optional(
    doc(
      '0 scrapes the targets whenever somebody asks for the page; otherwise they are scraped so often, and the page is what the last scrape brought.',
      duration(),
    ),
    0,
  ),
  scrape_timeout_offset: v.optional(
    doc(
      'How much earlier than the scraper gives up (`X-Prometheus-Scrape-Timeout-Seconds`) the page is answered.',
      duration(),
    ),
    '500ms',
  ),
};

/** The page is for a scraper in another pod, so that the admin of this role is not on loopback unless somebody says so. */
export const metricsSchema = roleSchema(metricsEntries, '0.0.0.0:9090');
export type MetricsConfig = v.InferOutput<typeof metricsSchema>;
