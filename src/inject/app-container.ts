import type { ManifestSheet, MapPlace, PlainMap } from './manifest-sheet.ts';
import { defaultAppPort, type InjectOptions } from './options.ts';
import type { Workload } from './workload.ts';

export interface App {
  readonly container: MapPlace;
  readonly port: number;
  /** The entry of `ports` for that port, when there is one. */
  readonly portEntry: MapPlace | undefined;
}

const favourite = 'kubectl.kubernetes.io/default-container';

/** The container that the front door is for; undefined when that is not clear, which is a fault then. */
export function appOf(sheet: ManifestSheet, { pod, template }: Workload, options: InjectOptions): App | undefined {
  const containers = sheet.mapsAt(pod, 'containers');
  if (containers.length === 0) {
    sheet.fault(
      sheet.valueNode(pod.node, 'containers') ?? pod.node,
      'has no containers, so there is no app to stand in front of',
    );
    return undefined;
  }
  const named = (name: unknown) => containers.find(({ data }) => data['name'] === name);
  const port = options.appPort ?? defaultAppPort;
  const metadata = template.data['metadata'] as { annotations?: PlainMap } | null | undefined;
  let container: MapPlace | undefined;
  if (options.container === undefined) {
    container =
      containers.find((one) => entryOf(sheet, one, port) !== undefined) ??
      named(metadata?.annotations?.[favourite]) ??
      containers[0]!;
  } else {
    container = named(options.container);
    if (container === undefined) {
      const names = containers.map(({ data }) => String(data['name'])).join(', ');
      sheet.fault(sheet.valueNode(pod.node, 'containers'), `has no container ${options.container}; there is ${names}`);
      return undefined;
    }
  }
  const portEntry = entryOf(sheet, container, port);
  const others = tcpPorts(sheet, container).map(({ data }) => Number(data['containerPort']));
  if (
    options.roles.includes('proxy') &&
    portEntry === undefined &&
    others.length > 0 &&
    options.appPort === undefined
  ) {
    const name = String(container.data['name']);
    sheet.fault(
      sheet.valueNode(container.node, 'ports'),
      `container ${name} listens on ${others.join(', ')}, not on ${port}; say where requests go with --app-port ${others[0]}, ` +
        `and in the configuration with endpoints: ['127.0.0.1:${others[0]}']`,
    );
    return undefined;
  }
  return { container, port, portEntry };
}

/** Entries of `ports` for TCP. */
export function tcpPorts(sheet: ManifestSheet, container: MapPlace): MapPlace[] {
  return sheet.mapsAt(container, 'ports').filter(({ data }) => (data['protocol'] ?? 'TCP') === 'TCP');
}

function entryOf(sheet: ManifestSheet, container: MapPlace, port: number): MapPlace | undefined {
  return tcpPorts(sheet, container).find(({ data }) => data['containerPort'] === port);
}
