import * as v from 'valibot';
import { address, doc, integer } from '../options/index.ts';

const hostName = v.pipe(
  v.string('must be a host name'),
  v.regex(
    /^(?=.{1,253}$)[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?)*$/,
    'must be a host name without port',
  ),
  v.toLowerCase(),
);

/** @param preset where it listens when nothing is said */
export function adminSchemaAt(preset: string) {
  return v.strictObject({
    address: v.optional(
      doc(
        'Where the admin interface listens. Anybody who reaches it can read the configuration; Kubernetes probes need 0.0.0.0:9090 or the address of the pod.',
        address(),
      ),
      preset,
    ),
    allow_remote_mutations: v.optional(
      doc(
        'Lets others than loopback and unix sockets change things (POST). Only for networks where everybody is trusted.',
        v.boolean('must be true or false'),
      ),
      false,
    ),
    allowed_hosts: v.optional(
      doc(
        'Names besides localhost and IP addresses that the Host header may carry; others are refused, because they may be a web page that tries to reach the admin from a browser.',
        v.array(hostName, 'must be a list of host names'),
      ),
      [],
    ),
    max_connections: v.optional(
      doc(
        'Most connections to the admin at once; beyond, the one that has been idle for longest gives way.',
        integer(1, 10_000),
      ),
      64,
    ),
  });
}

export const adminSchema = adminSchemaAt('127.0.0.1:9090');
export type AdminConfig = v.InferOutput<typeof adminSchema>;
