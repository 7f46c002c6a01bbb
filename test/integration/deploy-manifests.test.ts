import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/index.ts';
import { showAddress } from '../../src/options/index.ts';

const folder = new URL('../../deploy/', import.meta.url);

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Record<string, string>;
  readonly spec?: Record<string, unknown>;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
  readonly periodSeconds: number;
  readonly failureThreshold?: number;
}

interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly fsGroup?: number;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly drop?: string[]; readonly add?: string[] };
  readonly seccompProfile?: { readonly type: string };
  readonly sysctls?: { readonly name: string; readonly value: string }[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: string[];
  readonly restartPolicy?: string;
  readonly ports?: { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly resources?: { readonly requests?: Record<string, string>; readonly limits?: Record<string, string> };
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: SecurityContext;
  readonly initContainers: Container[];
  readonly containers: Container[];
  readonly volumes: {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string; readonly defaultMode: number };
  }[];
}

function manifests(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(new URL(file, folder), 'utf8'), { uniqueKeys: true }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });
}

function the(kind: string, all: readonly Manifest[]): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind);
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe.each(readdirSync(folder).filter((file) => file.endsWith('.yaml')))('deploy/%s', (file) => {
  it('is YAML with a kind and a name in every document', () => {
    for (const manifest of manifests(file)) {
      expect(manifest).toMatchObject({
        apiVersion: expect.any(String) as string,
        kind: expect.any(String) as string,
        metadata: { name: expect.any(String) as string },
      });
    }
  });

  it('carries no key material', () => {
    expect(readFileSync(new URL(file, folder), 'utf8')).not.toContain('PRIVATE KEY');
  });
});

describe('the sidecar manifest', () => {
  const all = manifests('sidecar.yaml');
  const configMap = the('ConfigMap', all);
  const deployment = the('Deployment', all).spec as {
    selector: { matchLabels: Record<string, string> };
    template: { metadata: { labels: Record<string, string>; annotations: Record<string, string> }; spec: PodSpec };
  };
  const service = the('Service', all).spec as {
    selector: Record<string, string>;
    ports: { port: number; targetPort: string }[];
  };
  const pod = deployment.template.spec;
  const portico = pod.initContainers.find(({ name }) => name === 'portico')!;
  const app = pod.containers[0]!;
  const config = () =>
    parseConfig(configMap.data!['portico.yaml']!, 'portico.yaml', { environment: {} }).then((loaded) => loaded.config);

  it('has a configuration that Portico takes', async () => {
    const { listeners, clusters } = await config();
    expect(listeners.map(({ address }) => showAddress(address))).toEqual(['0.0.0.0:80', '0.0.0.0:443']);
    expect(clusters).toHaveLength(1);
  });

  it('forwards to where the app listens, which nobody reaches from outside', async () => {
    const [endpoint] = (await config()).clusters[0]!.endpoints;
    expect(showAddress(endpoint!.address)).toBe('127.0.0.1:8080');
    expect(app.args).toContain('-listen=127.0.0.1:8080');
    expect(app.ports).toBeUndefined();
  });

  it('runs this version of Portico', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', folder), 'utf8')) as { version: string };
    expect(portico.image).toBe(`portico:${version}`);
  });

  it('runs Portico as a native sidecar', () => {
    expect(portico.restartPolicy).toBe('Always');
    expect(pod.containers.map(({ name }) => name)).toEqual(['app']);
  });

  it('lets the kubelet probe the admin, and nobody outside the pod change anything', async () => {
    const { admin } = await config();
    const port = portico.ports!.find(({ name }) => name === 'admin')!.containerPort;
    expect(showAddress(admin.address)).toBe(`0.0.0.0:${port}`);
    expect(admin.allow_remote_mutations).toBe(false);
    expect(portico.startupProbe!.httpGet).toEqual({ path: '/ready', port: 'admin' });
    expect(portico.readinessProbe!.httpGet).toEqual({ path: '/ready', port: 'admin' });
    expect(portico.livenessProbe!.httpGet).toEqual({ path: '/live', port: 'admin' });
    expect(portico.startupProbe!.periodSeconds * portico.startupProbe!.failureThreshold!).toBeGreaterThanOrEqual(30);
    expect(deployment.template.metadata.annotations).toMatchObject({
      'prometheus.io/port': String(port),
      'prometheus.io/path': '/metrics',
    });
  });

  it('exposes every listener under a named port', async () => {
    const { listeners } = await config();
    for (const { name, address } of listeners) {
      const { port } = address as { port: number };
      expect(portico.ports).toContainEqual({ name, containerPort: port });
      expect(service.ports).toContainEqual({ name, port, targetPort: name });
    }
    expect(service.selector).toEqual(deployment.selector.matchLabels);
    expect(deployment.template.metadata.labels).toMatchObject(deployment.selector.matchLabels);
  });

  it('gives the time that stopping takes', async () => {
    const { drain } = await config();
    const preStop = app.lifecycle!.preStop!.sleep!.seconds;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(
      preStop + (drain.pre_drain_delay + drain.drain_time) / 1000,
    );
  });

  it.each([
    ['portico', portico],
    ['app', app],
  ])('gives %s no rights that it does not need, and bounds', (_, { securityContext, resources }) => {
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(securityContext!.capabilities).not.toHaveProperty('add');
    expect(resources).toMatchObject({
      requests: { cpu: expect.any(String) as string, memory: expect.any(String) as string },
      limits: { memory: expect.any(String) as string },
    });
  });

  it('runs as the user of the image, who may listen on ports below 1024', () => {
    const dockerfile = readFileSync(new URL('../Dockerfile', folder), 'utf8');
    expect(dockerfile).toContain(`USER ${pod.securityContext.runAsUser}:`);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
    });
    expect(pod.automountServiceAccountToken).toBe(false);
  });

  it('mounts the configuration and the certificate where they are looked for', async () => {
    const { listeners } = await config();
    const mounted = (path: string) => {
      const mount = portico.volumeMounts!.find(({ mountPath }) => path.startsWith(`${mountPath}/`))!;
      expect(mount.readOnly).toBe(true);
      return pod.volumes.find(({ name }) => name === mount.name)!;
    };
    expect(mounted('/etc/portico/portico.yaml').configMap).toEqual({ name: configMap.metadata.name });
    for (const { certificate_chain, private_key } of listeners.flatMap(({ tls }) => tls?.certificates ?? [])) {
      expect(certificate_chain).toMatch(/\/tls\.crt$/);
      expect(private_key).toMatch(/\/tls\.key$/);
      const { secret } = mounted(private_key);
      expect(mounted(certificate_chain).secret).toBe(secret);
      // Readable to the group that the user of the container is in, and to nobody else.
      expect(secret!.defaultMode).toBe(0o440);
      expect(pod.securityContext.fsGroup).toBe(pod.securityContext.runAsUser);
    }
  });
});

describe('the Dockerfile', () => {
  const lines = readFileSync(new URL('../Dockerfile', folder), 'utf8').replace(/\\\n/g, '').split('\n');
  const last = (word: string) => lines.findLast((line) => line.startsWith(`${word} `)) ?? '';

  it('runs as a numbered user who is not root, so that runAsNonRoot can be checked', () => {
    expect(last('USER')).toMatch(/^USER [1-9]\d+:[1-9]\d+$/);
  });

  it('is stopped politely and is asked how it is', () => {
    expect(last('STOPSIGNAL')).toBe('STOPSIGNAL SIGTERM');
    expect(last('HEALTHCHECK')).toContain('/ready');
  });

  it('starts node itself, which then gets the signals', () => {
    expect(JSON.parse(last('ENTRYPOINT').slice('ENTRYPOINT '.length))).toEqual([
      'node',
      '--max-semi-space-size=4',
      '/portico/src/cli.ts',
    ]);
    expect(JSON.parse(last('CMD').slice('CMD '.length))).toEqual(['run', '-c', '/etc/portico/portico.yaml']);
  });

  it('has more than one stage, and neither development nor platform packages', () => {
    expect(lines.filter((line) => line.startsWith('FROM '))).toHaveLength(2);
    expect(lines.join('\n')).toContain('npm ci --omit=dev --omit=optional');
  });
});
