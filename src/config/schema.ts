import * as v from 'valibot';
import { adminSchema } from '../admin/config.ts';
import { clusterSchema } from '../cluster/config.ts';
import { listenerSchema } from '../listener/config.ts';
import { doc, duration, integer, name } from '../options/index.ts';
import { overloadSchema } from '../overload/index.ts';
import { processLogSchema } from '../process-log.ts';
import { virtualHostSchema } from '../router/config.ts';
import { reloadEntries } from './reload-config.ts';

const filterReference = v.pipe(
  v.string('must be the name of a filter, such as jwt-auth, or the path of one, such as ./my-filters/geo.ts'),
  v.nonEmpty('must be the name of a filter, such as jwt-auth, or the path of one, such as ./my-filters/geo.ts'),
);

export const httpFilterSchema = v.strictObject({
  name: doc(
    'Which filter: the name of one that comes with portico, or the path of a file, relative to this configuration.',
    filterReference,
  ),
  id: v.optional(
    doc(
      'What `per_filter_config`, metrics and logs call this place of use. The name of the filter unless it is used twice.',
      name(),
    ),
  ),
  config: v.optional(
    doc(
      "The filter's own options.",
      v.record(v.string(), v.unknown(), 'must be a mapping of the options of the filter'),
    ),
    {},
  ),
  mode: v.optional(
    doc(
      '`enforce` lets the filter refuse requests; in `shadow` its refusals are counted and logged, and the request goes on.',
      v.picklist(['enforce', 'shadow']),
    ),
    'enforce',
  ),
  disabled: v.optional(
    doc('Switches the filter off, except for routes whose `per_filter_config` switches it on.', v.boolean()),
    false,
  ),
});

const drainSchema = v.strictObject({
  pre_drain_delay: v.optional(
    doc(
      'After SIGTERM, how long listeners go on accepting while readiness says 503, so that load balancers can notice.',
      duration(),
    ),
    '5s',
  ),
  drain_time: v.optional(
    doc('After that, how long running exchanges have to finish before their connections are cut.', duration()),
    '30s',
  ),
});

const reloadSchema = v.strictObject({
  ...reloadEntries,
  sample_requests: v.optional(
    doc(
      'Number of past requests (method, host, path, no credentials) that a reload holds against old and new routes, to tell which go another way; 0 keeps none.',
      integer(0, 100_000),
    ),
    1000,
  ),
});

/** Everything a configuration file may say. An empty one proxies port 80 to 127.0.0.1:8080. */
export const rootSchema = v.strictObject({
  admin: v.optional(doc('The operators’ interface.', adminSchema), {}),
  log: v.optional(doc('The process log, on standard error.', processLogSchema), {}),
  listeners: v.optional(
    doc('Where clients connect.', v.pipe(v.array(listenerSchema), v.minLength(1, 'must have at least one listener'))),
    [{ name: 'http', address: '0.0.0.0:80' }],
  ),
  http_filters: v.optional(
    doc('The filter chain: requests walk it in this order, responses backwards.', v.array(httpFilterSchema)),
    [{ name: 'request-id' }, { name: 'access-log' }],
  ),
  virtual_hosts: v.optional(
    doc(
      'Routes, by the host that a request names. One with the domain `*` takes what no other wants.',
      v.array(virtualHostSchema),
    ),
    [{ name: 'app', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] }],
  ),
  clusters: v.optional(doc('What requests are forwarded to.', v.array(clusterSchema)), [
    { name: 'app', endpoints: ['127.0.0.1:8080'] },
  ]),
  workers: v.optional(
    doc(
      'Number of processes that serve clients, or `auto` for one per available CPU. With 1, all is done in one process; docs/workers.md says what more of them do not share. Takes effect at the next start.',
      v.union([integer(1, 256), v.literal('auto')], 'must be an integer from 1 to 256, or auto'),
    ),
    1,
  ),
  overload: v.optional(doc('When there is too much to do, and new work is refused.', overloadSchema), {}),
  drain: v.optional(doc('How a running portico stops.', drainSchema), {}),
  reload: v.optional(doc('How a running portico gets a new configuration.', reloadSchema), {}),
});

export type Config = v.InferOutput<typeof rootSchema>;
