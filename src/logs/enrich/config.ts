import * as v from 'valibot';
import { doc } from '../../options/index.ts';
import { fieldPath } from '../field-path-option.ts';

const paths = v.array(fieldPath(), 'must be a list of fields');

/** What is added to every record. */
export const enrichSchema = v.strictObject({
  pod_fields: v.optional(
    doc(
      'How the pod is told: `nested` is kubernetes: { pod: { name, uid, ip }, namespace, node: { name }, container: { name }, labels, annotations } (dots in their keys are _), as the Elastic Common Schema has it; `flat` has kubernetes.pod.name and the like as single fields; `none` leaves it out.',
      v.picklist(['nested', 'flat', 'none'], 'must be nested, flat or none'),
    ),
    'nested',
  ),
  file_fields: v.optional(
    doc(
      'Adds log: { file: { path }, offset } and `input`, so that a record can be found again.',
      v.boolean('must be true or false'),
    ),
    true,
  ),
  fields: v.optional(
    doc(
      'Fields with fixed values.',
      v.record(v.string(), v.union([v.string(), v.number(), v.boolean()], 'must be text, a number, true or false')),
    ),
    {},
  ),
  request_id_keys: v.optional(
    doc(
      'Fields with the id of a request, which becomes `request_id`: by it a record joins the access log of the proxy.',
      paths,
    ),
    ['request_id', 'requestId', 'req_id', 'reqId', 'req.id', 'x-request-id', 'request.id', 'http.request.id'],
  ),
  trace_id_keys: v.optional(
    doc(
      'Fields with the id of a trace, which becomes `trace_id`; and those with a traceparent (W3C Trace Context), which becomes both ids.',
      paths,
    ),
    ['trace_id', 'traceId', 'trace.id', 'traceparent', 'req.headers.traceparent'],
  ),
  span_id_keys: v.optional(doc('Fields with the id of a span, which becomes `span_id`.', paths), [
    'span_id',
    'spanId',
    'span.id',
  ]),
  on_clash: v.optional(
    doc(
      'When the app has a field that is added here: `rename` moves the app’s to app_NAME, `keep` leaves the app’s and adds nothing, `override` takes its place.',
      v.picklist(['rename', 'keep', 'override'], 'must be rename, keep or override'),
    ),
    'rename',
  ),
});
export type EnrichConfig = v.InferOutput<typeof enrichSchema>;
