import type { EditedPod } from './edit-pod.ts';
import type { ManifestSheet, MapPlace, PlainMap } from './manifest-sheet.ts';
import { frontPorts } from './sidecar.ts';
import { namesOf, type Workload } from './workload.ts';

/**
 * Lets the Services of a workload point to the front door, by its number: names of ports of sidecars are found by
 * Kubernetes 1.32 and newer only (kubernetes/kubernetes#127958). Answers how many Services select its pods.
 */
export function editServices(
  sheet: ManifestSheet,
  objects: readonly MapPlace[],
  { template, namespace }: Workload,
  { appPort, movedName }: EditedPod,
): number {
  const labels = ((template.data['metadata'] as PlainMap | undefined)?.['labels'] ?? {}) as PlainMap;
  const services = objects.filter(
    (object) => isService(object) && namesOf(object).namespace === namespace && selects(object, labels),
  );
  for (const service of services) {
    const spec = sheet.mapAt(service, 'spec')!;
    for (const entry of sheet.mapsAt(spec, 'ports')) {
      const { protocol, port, targetPort } = entry.data;
      const target = targetPort ?? port;
      if ((protocol ?? 'TCP') !== 'TCP' || (target !== appPort && target !== movedName)) continue;
      if (targetPort === undefined) sheet.add(entry, { targetPort: frontPorts.http });
      else sheet.setScalar(entry, 'targetPort', frontPorts.http);
    }
  }
  return services.length;
}

function isService({ data }: MapPlace): boolean {
  return data['kind'] === 'Service' && data['apiVersion'] === 'v1';
}

function selects({ data }: MapPlace, labels: PlainMap): boolean {
  const { selector } = (data['spec'] ?? {}) as { selector?: PlainMap | null };
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
