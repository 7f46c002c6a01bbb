import { doc, duration, integer, responseFlags, v, type JsonFormat, type ResponseFlag } from 'portico';
import { compileLine } from './compile-line.ts';

const flags = [...(Object.keys(responseFlags) as ResponseFlag[]), '*'] as const;

const conditions = {
  status_code: v.optional(
    doc(
      'Ranges of statuses, such as {min: 500}; a request without response has status 0.',
      v.array(
        v.strictObject({
          min: v.optional(doc('Least status.', integer(0, 599)), 0),
          max: v.optional(doc('Greatest status.', integer(0, 599)), 599),
        }),
      ),
    ),
    [],
  ),
  min_duration: v.optional(
    doc('Least time from the start of the request to the last byte of the response.', duration()),
    0,
  ),
  response_flags: v.optional(
    doc(
      'Response flags of which one must be set, such as UF; * for any.',
      v.array(v.picklist(flags, `must be a response flag (${flags.join(', ')})`)),
    ),
    [],
  ),
  not_paths: v.optional(
    doc(
      'Paths that are not logged: /healthz, or /static/* for all that begin so. The query does not count.',
      v.array(v.string()),
    ),
    [],
  ),
  sampling: v.optional(
    doc(
      'Percentage of requests, 0 to 100, chosen by x-request-id, so that all proxies choose the same ones.',
      v.pipe(
        v.number('must be a percentage from 0 to 100'),
        v.minValue(0, 'must be a percentage from 0 to 100'),
        v.maxValue(100, 'must be a percentage from 0 to 100'),
      ),
    ),
    100,
  ),
};

const jsonValue: v.GenericSchema<JsonFormat> = v.lazy(() =>
  v.union(
    [v.string(), v.number(), v.boolean(), v.null(), v.array(jsonValue), v.record(v.string(), jsonValue)],
    'must be text with operators, a number, a list or an object',
  ),
);

export const accessLogSchema = v.strictObject({
  format: v.optional(
    doc(
      'json, text (Envoy’s default line), or a format of your own with operators such as %RESPONSE_CODE%: {json: {status: "%RESPONSE_CODE%"}} or {text: "…"}.',
      format(),
    ),
    'json',
  ),
  path: v.optional(
    doc(
      'Where lines go: stdout, stderr, or a file, which is made if need be and made anew when it was moved away.',
      v.pipe(v.string(), v.minLength(1)),
    ),
    'stdout',
  ),
  filter: v.optional(
    doc(
      'Which requests are logged: those for which everything given here is true.',
      v.strictObject({
        ...conditions,
        any: v.optional(
          doc(
            'And for which one of these is true: [{status_code: [{min: 500}]}, {sampling: 1}].',
            v.array(v.strictObject(conditions)),
          ),
          [],
        ),
      }),
    ),
    {},
  ),
  redact_query: v.optional(
    doc(
      'Query parameters whose values are written as ***, in paths, referer and location: [token, code].',
      v.array(v.string()),
    ),
    [],
  ),
});

function format() {
  return v.pipe(
    v.union(
      [
        v.picklist(['json', 'text']),
        v.strictObject({ json: v.record(v.string(), jsonValue) }),
        v.strictObject({ text: v.string() }),
      ],
      'must be json, text, {json: {key: "%OPERATOR%"}} or {text: "…"}',
    ),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        compileLine(dataset.value, []);
      } catch (error) {
        addIssue({ message: (error as Error).message });
      }
    }),
  );
}
