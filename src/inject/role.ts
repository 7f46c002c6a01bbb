/** The roles that the image plays in a pod, one container each. */
export type Role = 'logs' | 'metrics' | 'proxy';

export interface RolePlan {
  readonly container: string;
  /** The command of the image. */
  readonly command: string;
  /** Name of its configuration in the ConfigMap. */
  readonly configFile: string;
  /** Where its admin listens beside the others: containers of a pod share one address. */
  readonly adminPort: number;
  readonly requests: Readonly<Record<'cpu' | 'memory', string>>;
  readonly limits: Readonly<Record<'cpu' | 'memory', string>>;
  /** Seconds that stopping it may take, after the containers that stop before it. */
  readonly stopSeconds: number;
}

/** What goes with the name of a role. */
function named(name: Exclude<Role, 'proxy'>): Pick<RolePlan, 'container' | 'command' | 'configFile'> {
  return { container: `portico-${name}`, command: name, configFile: `${name}.yaml` };
}

/** What a role beside the traffic needs. */
const beside: Pick<RolePlan, 'requests' | 'limits'> = {
  requests: { cpu: '50m', memory: '128Mi' },
  limits: { cpu: '500m', memory: '256Mi' },
};

/**
 * In the order of their start. The kubelet stops sidecars in the reverse order, after the app: the proxy first, which drains; then
 * metrics, which has seen the end of both; the log shipper last, so that nobody writes a line after it has gone.
 */
export const roles: Readonly<Record<Role, RolePlan>> = {
  // drain.drain_time of 25 s, and 5 s to spare.
  logs: { ...named('logs'), ...beside, adminPort: 9091, stopSeconds: 30 },
  metrics: { ...named('metrics'), ...beside, adminPort: 9092, stopSeconds: 5 },
  proxy: {
    container: 'portico',
    command: 'run',
    configFile: 'portico.yaml',
    adminPort: 9090,
    requests: { cpu: '100m', memory: '128Mi' },
    limits: { cpu: '1', memory: '256Mi' },
    // drain_time of 15 s, and 5 s to spare.
    stopSeconds: 20,
  },
};

/**
 * Where the admin of a role listens. Metrics are expected on 9090, so that they are there without the proxy too, whose admin has
 * the port otherwise.
 */
export function adminPortOf(role: Role, chosen: readonly Role[]): number {
  return role === 'metrics' && !chosen.includes('proxy') ? roles.proxy.adminPort : roles[role].adminPort;
}

export const allRoles = Object.keys(roles) as readonly Role[];
