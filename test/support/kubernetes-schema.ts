/** What the API server of Kubernetes says to a manifest: fields that are missing or of the wrong type, and fields that it does not know. */

/** `apps/v1` is a folder of the package; groups keep their whole name. */
interface Validate {
  (data: unknown): boolean;
  readonly errors?:
    readonly { readonly instancePath: string; readonly keyword: string; readonly params: unknown }[] | null;
}

const known: Readonly<Record<string, string>> = {
  v1: 'IoK8sApiCoreV1',
  'apps/v1': 'IoK8sApiAppsV1',
  'batch/v1': 'IoK8sApiBatchV1',
  'policy/v1': 'IoK8sApiPolicyV1',
  'autoscaling/v2': 'IoK8sApiAutoscalingV2',
  'networking.k8s.io/v1': 'IoK8sApiNetworkingV1',
};

/** Everything that is wrong; nothing when the manifest is good. */
export async function kubernetesFaults(manifest: unknown): Promise<string[]> {
  const { apiVersion, kind, items } = manifest as { apiVersion: string; kind: string; items?: unknown[] };
  if (kind === 'List') return (await Promise.all(items!.map(kubernetesFaults))).flat();
  const prefix = known[apiVersion];
  if (prefix === undefined) return [`no schema for the group ${apiVersion}`];
  const path = `kubernetes-models/_schemas/${prefix}${kind}`;
  const { validate } = (await import(path)) as { validate: Validate };
  const unread = new Set<string>();
  const good = validate(watched(manifest, '', unread));
  const wrong = (validate.errors ?? []).map(
    ({ instancePath, keyword, params }) => `${kind}${instancePath}: ${keyword} ${JSON.stringify(params)}`,
  );
  if (good !== (wrong.length === 0)) throw new Error(`${path} answers ${good} with ${wrong.length} errors`);
  return [...wrong, ...[...unread].map((field) => `${kind}${field} is unknown`)];
}

/**
 * The schemas allow fields that they do not name, the API server does not. A field that validation has not read is one that
 * the schema does not name, because what it does name is read whenever it is there.
 */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(
    ([key, member]) => [key, watched(member, `${path}/${key}`, unread)] as const,
  );
  const copy = Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members);
  if (!Array.isArray(value)) for (const [key] of members) unread.add(`${path}/${key}`);
  return new Proxy(copy, {
    get(target, key) {
      if (typeof key === 'string') unread.delete(`${path}/${key}`);
      return Reflect.get(target, key) as unknown;
    },
  });
}
