/** What changes in a pod. Everything else in it stays as it is: image, command, probes and resources of the app are the app's. */
import { appOf, type App } from './app-container.ts';
import { checkPod, lowPorts } from './check-pod.ts';
import type { ManifestSheet, MapPlace, PlainMap } from './manifest-sheet.ts';
import type { InjectOptions } from './options.ts';
import { allRoles, roles } from './role.ts';
import { sidecarOf, volumeNames, volumesOf, type LogFolder } from './sidecar.ts';
import type { Workload } from './workload.ts';

/** Kubernetes' own. */
const defaultGraceSeconds = 30;
/** How long the app goes on while load balancers learn that its pod is leaving. */
const preStopSeconds = 5;

export interface EditedPod {
  readonly containers: readonly string[];
  readonly appPort: number;
  /** Names that stood for the app's port, and stand for the front door now. */
  readonly movedName: string | undefined;
}

/** Adds the sidecars to the pods of a workload; undefined when there is a fault. */
export function editPod(sheet: ManifestSheet, workload: Workload, options: InjectOptions): EditedPod | undefined {
  const { pod, name } = workload;
  const before = sheet.faults.length;
  checkPod(sheet, pod, options);
  if (sheet.faults.length > before) return undefined;
  const app = appOf(sheet, workload, options);
  if (app === undefined) return undefined;

  const chosen = allRoles.filter((role) => options.roles.includes(role));
  const proxied = chosen.includes('proxy');
  const movedName = proxied ? movePortName(sheet, app) : undefined;
  const logs = chosen.includes('logs') ? logFolderOf(sheet, app, options.logsPath) : undefined;
  const waits = proxied && !workload.endsByItself && !hasPreStop(app);
  const context = {
    chosen,
    image: options.image,
    appContainer: String(app.container.data['name']),
    configMap: options.configMap ?? `${name}-portico`,
    tlsSecret: options.tlsSecret,
    httpName: movedName ?? 'http',
    logFolder: logs?.folder,
  };
  sheet.add(app.container, {
    ...(waits ? { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } } : {}),
    volumeMounts: logs?.own === true ? [{ name: volumeNames.logs, mountPath: logs.folder.mountPath }] : [],
  });
  const stopSeconds = chosen.reduce((sum, role) => sum + roles[role].stopSeconds, waits ? preStopSeconds : 0);
  const grace = Number(pod.data['terminationGracePeriodSeconds'] ?? defaultGraceSeconds) + stopSeconds;
  if ('terminationGracePeriodSeconds' in pod.data) sheet.setScalar(pod, 'terminationGracePeriodSeconds', grace);
  sheet.add(pod, {
    ...('terminationGracePeriodSeconds' in pod.data ? {} : { terminationGracePeriodSeconds: grace }),
    ...(proxied ? lowPortsFor(pod) : {}),
    initContainers: chosen.map((role) => sidecarOf(role, context)),
    volumes: volumesOf(context, logs?.own === true),
  });
  return { containers: chosen.map((role) => roles[role].container), appPort: app.port, movedName };
}

/**
 * The name of the app's port becomes that of the front door, so that Services that name it find Portico. The app's
 * port is called `app` then, and what asked it by name, such as its probes, goes on asking the app itself.
 */
function movePortName(sheet: ManifestSheet, { container, portEntry, port }: App): string | undefined {
  const moved = portEntry?.data['name'];
  if (portEntry === undefined || typeof moved !== 'string') return undefined;
  const taken = sheet.mapsAt(container, 'ports').some(({ data }) => data['name'] === 'app');
  const name = taken ? `app-${port}` : 'app';
  sheet.setScalar(portEntry, 'name', name);
  for (const asked of askersOf(sheet, container)) {
    if (asked.data['port'] === moved) sheet.setScalar(asked, 'port', name);
  }
  return moved;
}

/** Everything in a container that asks a port of it: `httpGet` and `tcpSocket` of probes and hooks. */
function askersOf(sheet: ManifestSheet, container: MapPlace): MapPlace[] {
  const lifecycle = sheet.mapAt(container, 'lifecycle');
  const handlers = [
    ...['startupProbe', 'readinessProbe', 'livenessProbe'].map((key) => sheet.mapAt(container, key)),
    ...['postStart', 'preStop'].map((key) => lifecycle && sheet.mapAt(lifecycle, key)),
  ];
  return handlers.flatMap((handler) =>
    ['httpGet', 'tcpSocket'].flatMap((key) => (handler && sheet.mapAt(handler, key)) ?? []),
  );
}

function hasPreStop({ container }: App): boolean {
  return ((container.data['lifecycle'] as PlainMap | null | undefined)?.['preStop'] ?? undefined) !== undefined;
}

/** The volume that the app has at the folder of its logs, or around it; or one of our own. */
function logFolderOf(sheet: ManifestSheet, { container }: App, path: string): { folder: LogFolder; own: boolean } {
  const around = sheet
    .mapsAt(container, 'volumeMounts')
    .map(({ data }) => data as { name?: string; mountPath?: string; subPath?: string })
    .map(({ name, mountPath, subPath }) => ({ volume: String(name), mountPath: String(mountPath), subPath }))
    .filter(({ mountPath }) => `${path}/`.startsWith(`${mountPath.replace(/\/+$/, '')}/`))
    .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
  if (around === undefined) {
    return { folder: { volume: volumeNames.logs, mountPath: path, subPath: undefined }, own: true };
  }
  return { folder: around, own: false };
}

/** Lets a user who is not root listen on 80 and 443; one of the safe sysctls. */
function lowPortsFor({ data }: MapPlace): PlainMap {
  const { sysctls } = (data['securityContext'] ?? {}) as { sysctls?: readonly PlainMap[] | null };
  if (sysctls?.some(({ name }) => name === lowPorts) === true) return {};
  return { securityContext: { sysctls: [{ name: lowPorts, value: '0' }] } };
}
