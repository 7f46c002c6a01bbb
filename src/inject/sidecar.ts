/** The containers and volumes that are added to a pod, as plain data. */
import type { PlainMap } from './manifest-sheet.ts';
import { adminPortOf, roles, type Role } from './role.ts';

export const frontPorts = { http: 80, https: 443 } as const;
/** The user of the image. */
const user = 65532;

export const volumeNames = {
  config: 'portico-config',
  tls: 'portico-tls',
  logs: 'portico-app-logs',
  state: 'portico-logs-state',
  podInfo: 'portico-podinfo',
} as const;

/** Where the app's log files are: a volume, the folder where it is mounted, and what of it is. */
export interface LogFolder {
  readonly volume: string;
  readonly mountPath: string;
  readonly subPath: string | undefined;
}

export interface SidecarContext {
  /** Everybody who is added. */
  readonly chosen: readonly Role[];
  readonly image: string;
  /** Name of the container that logs and metrics are about. */
  readonly appContainer: string;
  readonly configMap: string;
  readonly tlsSecret: string | undefined;
  /** Name of the port that Services look for: that of the app, which stands behind the front door now. */
  readonly httpName: string;
  readonly logFolder: LogFolder | undefined;
}

/** A native sidecar: an init container that is kept running (KEP-753). */
export function sidecarOf(role: Role, context: SidecarContext): PlainMap {
  const plan = roles[role];
  const probe = (path: string) => ({ httpGet: { path, port: adminPortOf(role, context.chosen) } });
  return {
    name: plan.container,
    image: context.image,
    args: [plan.command, '-c', `/etc/portico/${plan.configFile}`],
    restartPolicy: 'Always',
    env: [
      fieldEnv('POD_NAME', 'metadata.name'),
      fieldEnv('POD_NAMESPACE', 'metadata.namespace'),
      fieldEnv('POD_UID', 'metadata.uid'),
      fieldEnv('POD_IP', 'status.podIP'),
      fieldEnv('NODE_NAME', 'spec.nodeName'),
      { name: 'CONTAINER_NAME', value: context.appContainer },
    ],
    ports: portsOf(role, context),
    startupProbe: { ...probe('/ready'), periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
    readinessProbe: { ...probe('/ready'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 },
    livenessProbe: { ...probe('/live'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    resources: { requests: plan.requests, limits: plan.limits },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: mountsOf(role, context),
  };
}

function portsOf(role: Role, { chosen, tlsSecret, httpName }: SidecarContext): PlainMap[] {
  const admin = { name: role === 'proxy' ? 'admin' : `${role}-admin`, containerPort: adminPortOf(role, chosen) };
  if (role !== 'proxy') return [admin];
  const https = tlsSecret === undefined ? [] : [{ name: 'https', containerPort: frontPorts.https }];
  return [{ name: httpName, containerPort: frontPorts.http }, ...https, admin];
}

function mountsOf(role: Role, { tlsSecret, logFolder }: SidecarContext): PlainMap[] {
  const mounts: PlainMap[] = [{ name: volumeNames.config, mountPath: '/etc/portico', readOnly: true }];
  if (role === 'proxy') {
    if (tlsSecret !== undefined) mounts.push({ name: volumeNames.tls, mountPath: '/etc/portico-tls', readOnly: true });
    return mounts;
  }
  mounts.push({ name: volumeNames.podInfo, mountPath: '/etc/podinfo', readOnly: true });
  if (role === 'logs' && logFolder !== undefined) {
    const { volume, mountPath, subPath } = logFolder;
    mounts.push(
      { name: volume, mountPath, ...(subPath === undefined ? {} : { subPath }), readOnly: true },
      { name: volumeNames.state, mountPath: '/var/lib/portico' },
    );
  }
  return mounts;
}

/** @param ownLogs whether the folder of log files is on a volume that is added */
export function volumesOf({ chosen, ...context }: SidecarContext, ownLogs: boolean): PlainMap[] {
  const volumes: PlainMap[] = [{ name: volumeNames.config, configMap: { name: context.configMap } }];
  if (chosen.includes('proxy') && context.tlsSecret !== undefined) {
    volumes.push({ name: volumeNames.tls, secret: { secretName: context.tlsSecret } });
  }
  if (chosen.includes('logs')) {
    // A pod that writes more than that is evicted, before the node is full.
    if (ownLogs) volumes.push({ name: volumeNames.logs, emptyDir: { sizeLimit: '1Gi' } });
    volumes.push({ name: volumeNames.state, emptyDir: { sizeLimit: '1Gi' } });
  }
  if (chosen.some((role) => role !== 'proxy')) {
    const item = (path: string) => ({ path, fieldRef: { fieldPath: `metadata.${path}` } });
    volumes.push({ name: volumeNames.podInfo, downwardAPI: { items: [item('labels'), item('annotations')] } });
  }
  return volumes;
}

function fieldEnv(name: string, fieldPath: string): PlainMap {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
