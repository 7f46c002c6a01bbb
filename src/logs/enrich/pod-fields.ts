import type { PodSnapshot } from '../../pod/index.ts';

/** The pod as fields of a record. What is not known is left out. */
export function podFields(pod: PodSnapshot, style: 'nested' | 'flat' | 'none'): Record<string, unknown> {
  if (style === 'none') return {};
  const nested = prune({
    pod: prune({ name: pod.name, uid: pod.uid, ip: pod.ip }),
    namespace: pod.namespace,
    node: prune({ name: pod.node }),
    container: prune({ name: pod.container }),
    labels: prune(withoutDots(pod.labels)),
    annotations: prune(withoutDots(pod.annotations)),
  });
  if (nested === undefined) return {};
  return style === 'nested' ? { kubernetes: nested } : flatten(nested, 'kubernetes');
}

/** Stores that make objects of names with dots could not hold `app` beside `app.kubernetes.io/name`. */
function withoutDots(entries: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...entries].map(([key, value]) => [key.replaceAll('.', '_'), value]));
}

/** Without what is undefined; undefined when nothing is left. */
function prune(members: Record<string, unknown>): Record<string, unknown> | undefined {
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function flatten(members: Record<string, unknown>, prefix: string): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    const path = `${prefix}.${name}`;
    if (typeof value === 'object' && value !== null)
      Object.assign(flat, flatten(value as Record<string, unknown>, path));
    else flat[path] = value;
  }
  return flat;
}
