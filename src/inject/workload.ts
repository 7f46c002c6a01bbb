import type { ManifestSheet, MapPlace } from './manifest-sheet.ts';

/** Something that makes pods. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  /** What is mended has an end: nobody waits for a front door. */
  readonly endsByItself: boolean;
  /** `metadata` and `spec` of its pods. */
  readonly template: MapPlace;
  /** The `spec` of its pods. */
  readonly pod: MapPlace;
}

interface Kind {
  readonly group: RegExp;
  readonly path: readonly string[];
  readonly endsByItself?: true;
}

const apps = /^(?:apps|extensions)\//;
const kinds: Readonly<Record<string, Kind>> = {
  Pod: { group: /^v1$/, path: [] },
  ReplicationController: { group: /^v1$/, path: ['spec', 'template'] },
  Deployment: { group: apps, path: ['spec', 'template'] },
  StatefulSet: { group: apps, path: ['spec', 'template'] },
  DaemonSet: { group: apps, path: ['spec', 'template'] },
  ReplicaSet: { group: apps, path: ['spec', 'template'] },
  Job: { group: /^batch\//, path: ['spec', 'template'], endsByItself: true },
  CronJob: { group: /^batch\//, path: ['spec', 'jobTemplate', 'spec', 'template'], endsByItself: true },
};

/** For the complaint when there is none. */
export const workloadKinds = Object.keys(kinds);

/** Every object of the documents; of a `List` its items. */
export function objectsOf(sheet: ManifestSheet, places: readonly MapPlace[] = sheet.documents): MapPlace[] {
  return places.flatMap((place) =>
    String(place.data['kind']).endsWith('List') && Array.isArray(place.data['items'])
      ? objectsOf(sheet, sheet.mapsAt(place, 'items'))
      : [place],
  );
}

/** The workload that an object is; undefined when it is none, or one with a fault. */
export function workloadOf(sheet: ManifestSheet, object: MapPlace): Workload | undefined {
  const { kind, apiVersion } = object.data;
  const known = Object.hasOwn(kinds, String(kind)) ? kinds[String(kind)]! : undefined;
  if (known === undefined || !known.group.test(String(apiVersion))) return undefined;
  const before = sheet.faults.length;
  let template: MapPlace | undefined = object;
  for (const key of known.path) template = template && sheet.mapAt(template, key);
  const pod = template && sheet.mapAt(template, 'spec');
  if (template === undefined || pod === undefined) {
    const where = [...known.path, 'spec'].join('.');
    if (sheet.faults.length === before) sheet.fault(object.node, `${String(kind)} has no ${where}`);
    return undefined;
  }
  const { name, namespace } = namesOf(object);
  return { kind: String(kind), name, namespace, endsByItself: known.endsByItself === true, template, pod };
}

/** Of a name that is still to be made, its beginning. */
export function namesOf({ data }: MapPlace): { name: string; namespace: string } {
  const { name, generateName, namespace } = (data['metadata'] ?? {}) as Readonly<Record<string, string | undefined>>;
  return { name: String(name ?? generateName ?? 'pod').replace(/-+$/, ''), namespace: String(namespace ?? 'default') };
}

/** JSON has no comments, and without them nothing could be taken out again. */
export function isJson(object: MapPlace): boolean {
  return object.node.flow === true;
}
