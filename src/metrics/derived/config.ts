import * as v from 'valibot';
import { durationAtLeast, byteSize, compileSafeRegex, doc, integer, name } from '../../options/index.ts';
import { parseJsonPath, type JsonPath } from './json-path.ts';

const metricName = v.pipe(
  v.string('must be the name of a metric'),
  v.regex(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/, 'must be a name of letters, digits, _ and :'),
  v.check((text) => !/_(?:bucket|count|sum|created)$/.test(text), 'must not end in _bucket, _count, _sum or _created'),
);
const labelName = v.pipe(
  v.string(),
  v.regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,99}$/, 'must be a label name of letters, digits and _'),
  v.check((text) => text !== 'le' && text !== 'quantile', 'must not be le or quantile, which mean something else'),
);
const help = v.optional(
  doc('The `# HELP` line.', v.pipe(v.string(), v.maxLength(1000, 'must be at most 1000 characters'))),
  'Derived by configuration.',
);
const counterName = (type: string, text: string) => type !== 'counter' || text.endsWith('_total');
const counterComplaint = 'the name of a counter must end in _total';

/** A pattern that may match anywhere in a line; the groups' names come out with it. */
const linePattern = v.pipe(
  v.string('must be a regular expression'),
  v.rawTransform<string, { readonly regex: RegExp; readonly groups: readonly string[] }>(
    ({ dataset, addIssue, NEVER }) => {
      try {
        const { flags } = compileSafeRegex(dataset.value);
        // With an alternative that always matches, `exec` tells the names of all groups.
        const groups = Object.keys(new RegExp(`${dataset.value}|`, flags).exec('')?.groups ?? {});
        return { regex: new RegExp(dataset.value, flags), groups };
      } catch (error) {
        addIssue({ message: (error as Error).message });
        return NEVER;
      }
    },
  ),
  v.metadata({ format: 'regex' }),
);

const buckets = v.pipe(
  v.array(v.pipe(v.number(), v.finite())),
  v.minLength(1),
  v.maxLength(100, 'must be at most 100'),
  v.check((bounds) => bounds.every((bound, at) => at === 0 || bound > bounds[at - 1]!), 'must grow'),
);

const logMetric = v.pipe(
  v.strictObject({
    name: doc('Name of the metric.', metricName),
    type: doc('What it is.', v.picklist(['counter', 'gauge', 'histogram'], 'must be counter, gauge or histogram')),
    help,
    pattern: doc(
      'Lines that count. Named groups such as `(?<status>\\d+)` become labels, the group `value` is the number.',
      linePattern,
    ),
    buckets: v.optional(
      doc('Upper bounds of a histogram.', buckets),
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    ),
    scale: v.optional(doc('What the number is multiplied with: 0.001 makes seconds of milliseconds.', v.number()), 1),
  }),
  v.check(({ type, name: text }) => counterName(type, text), counterComplaint),
  v.check(
    ({ type, pattern }) => type === 'counter' || pattern.groups.includes('value'),
    'the pattern of a gauge or histogram needs a group (?<value>…)',
  ),
  v.check(
    ({ pattern }) => pattern.groups.every((group) => v.is(labelName, group)),
    'the names of groups must be label names',
  ),
);

const jsonPath = v.pipe(
  v.string('must be a path such as queue.depth or $.queues[*].depth'),
  v.rawTransform<string, JsonPath>(({ dataset, addIssue, NEVER }) => {
    const path = parseJsonPath(dataset.value);
    if (path !== undefined) return path;
    addIssue({ message: 'must be a path such as queue.depth or $.queues[*].depth' });
    return NEVER;
  }),
);

const jsonMetric = v.pipe(
  v.strictObject({
    name: doc('Name of the metric.', metricName),
    type: v.optional(doc('What it is.', v.picklist(['counter', 'gauge'], 'must be counter or gauge')), 'gauge'),
    help,
    path: doc('Where the number is, such as `queue.depth`, `$.queues[*].depth` or `pools.*["in use"]`.', jsonPath),
    labels: v.optional(
      doc(
        'Label names, and where their values are: a path from the object that has the number, or `@key` for what the last `*` stands for.',
        v.pipe(
          v.record(labelName, v.union([v.literal('@key'), jsonPath])),
          v.check((labels) => Object.keys(labels).length <= 20, 'must be at most 20'),
        ),
      ),
      {},
    ),
  }),
  v.check(({ type, name: text }) => counterName(type, text), counterComplaint),
);

const url = v.pipe(
  v.string('must be a URL'),
  v.url('must be a URL such as http://127.0.0.1:8080/stats'),
  v.regex(/^https?:\/\//, 'must begin with http:// or https://'),
);

const logSchema = v.strictObject({
  name: doc('Label `source` of what is said about the file.', name()),
  path: doc(
    'The file. What is in it at the start is skipped; it is followed through rotation.',
    v.pipe(v.string(), v.minLength(1)),
  ),
  poll_interval: v.optional(doc('Time from look to look.', durationAtLeast(10, '10ms')), '1s'),
  max_line_bytes: v.optional(
    doc('Longer lines are counted and left out.', v.pipe(byteSize(), v.minValue(64), v.maxValue(1024 * 1024))),
    '8KiB',
  ),
  metrics: doc('What is made of the lines.', v.pipe(v.array(logMetric), v.minLength(1), v.maxLength(100))),
});

const endpointSchema = v.strictObject({
  name: doc('Label `source` of what is said about the endpoint.', name()),
  url: doc('Where the app answers with JSON.', url),
  interval: v.optional(doc('Time from question to question.', durationAtLeast(10, '10ms')), '15s'),
  timeout: v.optional(doc('How long an answer may take.', durationAtLeast(1, '1ms')), '5s'),
  max_bytes: v.optional(doc('Largest answer.', v.pipe(byteSize(), v.maxValue(64 * 1024 * 1024))), '1MiB'),
  metrics: doc('What is made of the answer.', v.pipe(v.array(jsonMetric), v.minLength(1), v.maxLength(100))),
});

export const derivedSchema = v.pipe(
  v.strictObject({
    max_series: v.optional(
      doc('Most sets of label values of each metric; more are dropped and counted.', integer(1, 100_000)),
      500,
    ),
    logs: v.optional(doc('Metrics from lines of files.', v.pipe(v.array(logSchema), v.maxLength(32))), []),
    endpoints: v.optional(doc('Metrics from JSON.', v.pipe(v.array(endpointSchema), v.maxLength(32))), []),
  }),
  v.check(({ logs, endpoints }) => {
    const names = [...logs, ...endpoints].flatMap(({ metrics }) => metrics.map((metric) => metric.name));
    return new Set(names).size === names.length;
  }, 'each name of a metric must be there once'),
  v.check(({ logs, endpoints }) => {
    const names = [...logs, ...endpoints].map((source) => source.name);
    return new Set(names).size === names.length;
  }, 'names of logs and endpoints must differ'),
);

export type DerivedConfig = v.InferOutput<typeof derivedSchema>;
export type LogConfig = DerivedConfig['logs'][number];
export type LogMetricConfig = LogConfig['metrics'][number];
export type EndpointConfig = DerivedConfig['endpoints'][number];
export type JsonMetricConfig = EndpointConfig['metrics'][number];

/** A duration that is never zero: 0 would mean something else, or nothing, to a timer. */
