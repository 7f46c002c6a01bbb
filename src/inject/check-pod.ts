import type { ManifestSheet, MapPlace, PlainMap } from './manifest-sheet.ts';
import { tcpPorts } from './app-container.ts';
import { adminPortOf, allRoles, roles } from './role.ts';
import { frontPorts, volumeNames } from './sidecar.ts';
import type { InjectOptions } from './options.ts';

/** Adds a fault for everything in a pod that the sidecars cannot live with. */
export function checkPod(sheet: ManifestSheet, pod: MapPlace, options: InjectOptions): void {
  const { data, node } = pod;
  if (data['hostNetwork'] === true) {
    const message =
      'hostNetwork: every pod of the node would want the ports of the sidecars, and 80 and 443 would be those of the node; take it out';
    sheet.fault(sheet.valueNode(node, 'hostNetwork'), message);
  }
  if ((data['os'] as PlainMap | undefined)?.['name'] === 'windows') {
    sheet.fault(sheet.valueNode(node, 'os'), 'the image of Portico is for Linux');
  }
  const grace = data['terminationGracePeriodSeconds'] ?? 0;
  if (typeof grace !== 'number') {
    sheet.fault(sheet.valueNode(node, 'terminationGracePeriodSeconds'), 'must be a number of seconds, such as 30');
  }
  checkNames(sheet, pod);
  checkPorts(sheet, pod, options);
  checkSysctls(sheet, pod, options);
}

function checkNames(sheet: ManifestSheet, pod: MapPlace): void {
  const ours = new Set(allRoles.map((role) => roles[role].container));
  for (const list of ['containers', 'initContainers']) {
    for (const { node, data } of sheet.mapsAt(pod, list)) {
      const name = String(data['name']);
      if (!ours.has(name)) continue;
      sheet.fault(
        sheet.valueNode(node, 'name'),
        `there is a container ${name} already, which was not put here by portico inject; take it out or rename it`,
      );
    }
  }
  const volumes: ReadonlySet<string> = new Set(Object.values(volumeNames));
  for (const { node, data } of sheet.mapsAt(pod, 'volumes')) {
    const name = String(data['name']);
    if (volumes.has(name)) sheet.fault(sheet.valueNode(node, 'name'), `there is a volume ${name} already; rename it`);
  }
}

function checkPorts(sheet: ManifestSheet, pod: MapPlace, options: InjectOptions): void {
  const needed = new Map<unknown, string>(
    options.roles.map((role) => [adminPortOf(role, options.roles), roles[role].container]),
  );
  if (options.roles.includes('proxy')) {
    needed.set(frontPorts.http, 'portico');
    if (options.tlsSecret !== undefined) needed.set(frontPorts.https, 'portico');
  }
  for (const list of ['containers', 'initContainers']) {
    for (const container of sheet.mapsAt(pod, list)) {
      for (const { node, data } of tcpPorts(sheet, container)) {
        const port = data['containerPort'];
        const owner = needed.get(port);
        if (owner === undefined) continue;
        const hint = port === frontPorts.http ? `; let it listen on 8080, say` : '; give it another one';
        const name = String(container.data['name']);
        sheet.fault(
          sheet.valueNode(node, 'containerPort'),
          `port ${String(port)} of the container ${name} is taken by ${owner}${hint}`,
        );
      }
    }
  }
}

export const lowPorts = 'net.ipv4.ip_unprivileged_port_start';

function checkSysctls(sheet: ManifestSheet, pod: MapPlace, options: InjectOptions): void {
  const context = sheet.mapAt(pod, 'securityContext');
  if (context === undefined || !options.roles.includes('proxy')) return;
  for (const { node, data } of sheet.mapsAt(context, 'sysctls')) {
    if (data['name'] !== lowPorts || Number(data['value']) <= frontPorts.http) continue;
    sheet.fault(
      sheet.valueNode(node, 'value'),
      `${lowPorts} must be ${frontPorts.http} or less, so that Portico may listen there`,
    );
  }
}
