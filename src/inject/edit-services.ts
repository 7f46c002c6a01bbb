import type { EditedPod } from './edit-pod.ts';
import type { ManifestSheet, MapPlace, PlainMap } from './manifest-sheet.ts';
import { frontPorts } from './sidecar.ts';
import { namesOf, type Workload } from './workload.ts';

export interface EditedServices {
  /** Services that select the pods. */
  readonly selecting: number;
  /** Whether one of them leads to port 443 of the front door. */
  readonly secure: boolean;
}

/**
 * Lets the Services of a workload point to the front door, by its number: names of ports of sidecars are found by
 * Kubernetes 1.32 and newer only (kubernetes/kubernetes#127958). With TLS, port 443 of a Service leads to port 443 of the door.
 * @param tls whether the door listens on 443
 */
export function editServices(
  sheet: ManifestSheet,
  objects: readonly MapPlace[],
  { template, namespace }: Workload,
  { appPort, movedName }: EditedPod,
  tls: boolean,
): EditedServices {
  const labels = ((template.data['metadata'] as PlainMap | undefined)?.['labels'] ?? {}) as PlainMap;
  const services = objects.filter(
    (object) => isService(object) && namesOf(object).namespace === namespace && selects(object, labels),
  );
  let secure = false;
  for (const service of services) {
    const spec = sheet.mapAt(service, 'spec')!;
    for (const entry of sheet.mapsAt(spec, 'ports')) {
      const { protocol, port, targetPort } = entry.data;
      const target = targetPort ?? port;
      if ((protocol ?? 'TCP') !== 'TCP') continue;
      secure ||= target === frontPorts.https || target === 'https';
      if (target !== appPort && target !== movedName) continue;
      const door = tls && port === frontPorts.https ? frontPorts.https : frontPorts.http;
      secure ||= door === frontPorts.https;
      if (targetPort === undefined) sheet.add(entry, { targetPort: door });
      else sheet.setScalar(entry, 'targetPort', door);
    }
  }
  return { selecting: services.length, secure };
}

function isService({ data }: MapPlace): boolean {
  return data['kind'] === 'Service' && data['apiVersion'] === 'v1';
}

function selects({ data }: MapPlace, labels: PlainMap): boolean {
  const { selector } = (data['spec'] ?? {}) as { selector?: PlainMap | null };
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
