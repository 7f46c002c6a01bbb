import * as v from 'valibot';
import { doc, duration } from '../options/index.ts';

const variable = (what: string, preset: string) =>
  v.optional(
    doc(
      `Environment variable with ${what}; one that is not set leaves it out.`,
      v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable')),
    ),
    preset,
  );

const patterns = v.array(
  v.pipe(v.string(), v.regex(/^[\w./-]*\*?$/, 'must be a key, or the beginning of keys with * behind it')),
  'must be a list of keys, or of beginnings of keys with * behind them',
);

/** Where a sidecar learns which pod it is in: what the downward API of Kubernetes puts into its environment and its files. */
export const podSchema = v.strictObject({
  name_variable: variable('the name of the pod', 'POD_NAME'),
  namespace_variable: variable('its namespace', 'POD_NAMESPACE'),
  uid_variable: variable('its UID', 'POD_UID'),
  ip_variable: variable('its IP address', 'POD_IP'),
  node_variable: variable('the name of its node', 'NODE_NAME'),
  container_variable: variable('the name of the app’s container', 'CONTAINER_NAME'),
  labels_file: v.optional(
    doc(
      'File of a downward API volume with the labels of the pod. It may be missing, and may come later.',
      v.pipe(v.string(), v.nonEmpty('must be a path')),
    ),
    '/etc/podinfo/labels',
  ),
  annotations_file: v.optional(
    doc('The same for its annotations.', v.pipe(v.string(), v.nonEmpty('must be a path'))),
    '/etc/podinfo/annotations',
  ),
  labels: v.optional(doc('Labels that are used: keys, or beginnings of keys with `*` behind them.', patterns), ['*']),
  annotations: v.optional(
    doc('Annotations that are used, in the same way. By default none, because they are many and long.', patterns),
    [],
  ),
  poll_interval: v.optional(
    doc('How often the files are looked at.', v.pipe(duration(), v.minValue(50, 'must be at least 50ms'))),
    '5s',
  ),
});
export type PodConfig = v.InferOutput<typeof podSchema>;
