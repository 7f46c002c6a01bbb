import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { parseConfig } from '../../src/config/index.ts';
import { parseRoleConfig } from '../../src/config/load-role.ts';
import { allRoles, roles as planned } from '../../src/inject/index.ts';
import { showAddress, type Address } from '../../src/options/index.ts';
import { roles as landed } from '../../src/roles.ts';
import { kubernetesFaults } from '../support/kubernetes-schema.ts';
import {
  deploymentIn,
  parseManifests,
  portOf,
  readManifests,
  the,
  type Container,
  type Manifest,
} from '../support/manifests.ts';
import { nodeFlags } from '../../src/cli/node-flags.ts';

const folder = new URL('../../deploy/', import.meta.url);
const kustomize = new URL('kustomize/', folder);
const { version } = packageJson;
const pods = ['proxy-sidecar.yaml', 'logging-sidecar.yaml', 'monitoring-sidecar.yaml', 'multi-sidecar.yaml'];
const everyFile = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
/** Without kubectl these tests are skipped, and shown so. */
const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
const sidecarOrder = allRoles.map((role) => planned[role].container);

/** What all roles have, and what takes time at their end. */
interface SidecarConfig {
  readonly admin: { readonly address: Address };
  /** Milliseconds. */
  readonly drain?: { readonly pre_drain_delay?: number; readonly drain_time?: number };
}

/** The configuration that a sidecar reads, as the product loads it. */
async function configOf({ args }: Container, text: string): Promise<SidecarConfig> {
  const [command, , file] = args!;
  if (command === 'run') return (await parseConfig(text, file!, { environment: {} })).config;
  const environment = { POD_NAME: 'shop-1', POD_NAMESPACE: 'default', POD_UID: '1', NODE_NAME: 'node-1' };
  return (await parseRoleConfig((await landed[command!]!()).schema, text, file!, { environment })).config;
}

describe.each(everyFile)('deploy/%s', (file) => {
  const text = readFileSync(new URL(file, folder), 'utf8');

  it('carries no key material', () => {
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('names this version of Portico wherever it names one', () => {
    const images = [...text.matchAll(/image: (?:\S+\/)?portico:(\S+)/g), ...text.matchAll(/newTag: (\S+)/g)];
    expect(images.map(([, tag]) => tag)).toEqual(images.map(() => version));
    expect(text).not.toMatch(/:latest\b/);
  });

  it('is made of what Kubernetes knows', async () => {
    const isPatch = /overlays\/\w+\/(?:small|spread)\.yaml$/.test(file);
    for (const manifest of parseManifests(text)) {
      // Configuration of Portico, which a ConfigMap is made of; and what kubectl itself reads.
      if (manifest.kind === undefined || manifest.kind === 'Kustomization') continue;
      const faults = await kubernetesFaults(manifest);
      // A patch is not whole.
      expect(isPatch ? faults.filter((fault) => fault.endsWith(' is unknown')) : faults).toEqual([]);
    }
  });
});

it('the instructions name this version', () => {
  const tags = [...readFileSync(new URL('README.md', folder), 'utf8').matchAll(/portico:(\d\S+)/g)].map(
    ([, tag]) => tag,
  );
  expect(new Set(tags)).toEqual(new Set([version]));
});

describe.each(pods)('the pod of deploy/%s', (file) => {
  const all = readManifests(new URL(file, folder));
  const deployment = deploymentIn(all);
  const pod = deployment.template.spec;
  const app = pod.containers[0]!;
  const everybody = [...pod.initContainers, ...pod.containers];

  /** What a container finds at a path: the volume, and whether it may write there. */
  function mountedAt({ volumeMounts = [] }: Container, path: string) {
    const mount = volumeMounts.find(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))!;
    return { volume: pod.volumes.find(({ name }) => name === mount.name)!, readOnly: mount.readOnly === true };
  }

  function configText(sidecar: Container): string {
    const path = sidecar.args![2]!;
    const { volume, readOnly } = mountedAt(sidecar, path);
    expect(readOnly).toBe(true);
    const configMap = all.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume.configMap!.name,
    )!;
    return configMap.data![path.split('/').at(-1)!]!;
  }

  it('has native sidecars, which start and stop in the right order around one app', () => {
    const names = pod.initContainers.map(({ name }) => name);
    expect(names).toEqual(sidecarOrder.filter((name) => names.includes(name)));
    expect(pod.initContainers.map(({ restartPolicy }) => restartPolicy)).toEqual(names.map(() => 'Always'));
    expect(pod.containers.map(({ name }) => name)).toEqual(['app']);
    expect(deployment.template.metadata.labels).toMatchObject(deployment.selector.matchLabels);
  });

  it.each(everybody.map((container) => [container.name, container] as const))(
    'gives %s no rights that it does not need, and bounds',
    (_, { securityContext, resources }) => {
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(securityContext!.capabilities).not.toHaveProperty('add');
      const text = expect.any(String) as string;
      expect(resources).toMatchObject({ requests: { cpu: text, memory: text }, limits: { memory: text } });
    },
  );

  it('runs as the user of the image', () => {
    const dockerfile = readFileSync(new URL('../Dockerfile', folder), 'utf8');
    expect(dockerfile).toContain(`USER ${pod.securityContext.runAsUser}:`);
    expect(pod.securityContext.runAsNonRoot).toBe(true);
    expect(pod.automountServiceAccountToken).toBe(false);
  });

  it('has volumes for all mounts, and mounts for all volumes', () => {
    const mounts = new Set(everybody.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
    expect([...mounts].sort()).toEqual((pod.volumes ?? []).map(({ name }) => name).sort());
    for (const { name, emptyDir } of pod.volumes)
      if (emptyDir !== undefined) expect(emptyDir, name).toHaveProperty('sizeLimit');
  });

  it('keeps the files of Secrets to the group that its users are in', () => {
    for (const { secret } of pod.volumes) {
      if (secret === undefined) continue;
      expect(secret.defaultMode).toBe(0o440);
      expect(pod.securityContext.fsGroup).toBe(pod.securityContext.runAsUser);
    }
  });

  it('asks every sidecar on a port of its own, patiently at the start', () => {
    const ports = pod.initContainers.map((sidecar) => portOf(sidecar, sidecar.startupProbe!.httpGet.port));
    expect(new Set(ports).size).toBe(ports.length);
    for (const { startupProbe, readinessProbe, livenessProbe } of pod.initContainers) {
      const { port } = startupProbe!.httpGet;
      expect(startupProbe!.httpGet).toEqual({ path: '/ready', port });
      expect(readinessProbe!.httpGet).toEqual({ path: '/ready', port });
      expect(livenessProbe!.httpGet).toEqual({ path: '/live', port });
      expect(startupProbe!.periodSeconds * startupProbe!.failureThreshold!).toBeGreaterThanOrEqual(30);
    }
    const { annotations } = deployment.template.metadata;
    if (annotations !== undefined) expect(ports.map(String)).toContain(annotations['prometheus.io/port']);
  });

  describe.each(pod.initContainers.map((sidecar) => [sidecar.name, sidecar] as const))('%s', (_, sidecar) => {
    it('has a configuration that Portico takes, and its admin where it is probed', async () => {
      const { admin } = await configOf(sidecar, configText(sidecar));
      expect(showAddress(admin.address)).toBe(`0.0.0.0:${portOf(sidecar, sidecar.startupProbe!.httpGet.port)}`);
    });

    it('runs the role that it is named for', () => {
      const role = allRoles.find((one) => planned[one].container === sidecar.name)!;
      const { command, configFile } = planned[role];
      expect(sidecar.args).toEqual([command, '-c', `/etc/portico/${configFile}`]);
    });
  });

  it('is given the time that stopping takes', async () => {
    const drains = await Promise.all(
      pod.initContainers.map(async (sidecar) => {
        const { drain } = await configOf(sidecar, configText(sidecar));
        return (drain?.pre_drain_delay ?? 0) + (drain?.drain_time ?? 0);
      }),
    );
    const preStop = app.lifecycle?.preStop?.sleep?.seconds ?? 0;
    const seconds = preStop + drains.reduce((sum, milliseconds) => sum + milliseconds / 1000, 0);
    // And some for the app itself.
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds + 15);
  });

  const proxy = pod.initContainers.find(({ name }) => name === 'portico');
  describe.runIf(proxy !== undefined)('its proxy', () => {
    const config = async () => (await parseConfig(configText(proxy!), 'portico.yaml', { environment: {} })).config;

    it('forwards to where the app listens, which nobody reaches from outside', async () => {
      const { clusters } = await config();
      expect(clusters.flatMap(({ endpoints }) => endpoints.map(({ address }) => showAddress(address)))).toEqual([
        '127.0.0.1:8080',
      ]);
      expect(app.ports).toBeUndefined();
    });

    it('lets nobody outside the pod change anything', async () => {
      expect((await config()).admin.allow_remote_mutations).toBe(false);
    });

    it('exposes every listener, to a Service that every Kubernetes finds it by', async () => {
      const service = the('Service', all).spec as {
        selector: Record<string, string>;
        ports: { name: string; port: number; targetPort: number }[];
      };
      const listeners = (await config()).listeners.map(({ name, address }) => ({
        name,
        port: (address as { port: number }).port,
      }));
      expect(listeners.map(({ port }) => port)).toEqual([80, 443]);
      for (const { name, port } of listeners) {
        expect(proxy!.ports).toContainEqual({ name, containerPort: port });
        expect(service.ports).toContainEqual({ name, port, targetPort: port });
      }
      expect(service.selector).toEqual(deployment.selector.matchLabels);
    });

    it('may listen on ports below 1024', () => {
      expect(pod.securityContext.sysctls).toEqual([{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }]);
    });

    it('finds its certificate where it looks for it', async () => {
      const { listeners } = await config();
      for (const { certificate_chain, private_key } of listeners.flatMap(({ tls }) => tls?.certificates ?? [])) {
        expect(certificate_chain).toMatch(/\/tls\.crt$/);
        expect(private_key).toMatch(/\/tls\.key$/);
        expect(mountedAt(proxy!, private_key).volume.secret).toBeDefined();
        expect(mountedAt(proxy!, certificate_chain)).toEqual(mountedAt(proxy!, private_key));
      }
    });
  });

  const logs = pod.initContainers.find(({ name }) => name === 'portico-logs');
  it.runIf(logs !== undefined)('reads what the app writes, and keeps its own state elsewhere', () => {
    const read = mountedAt(logs!, '/var/log/app');
    expect(read.readOnly).toBe(true);
    expect(read.volume.emptyDir).toBeDefined();
    expect(mountedAt(app, '/var/log/app')).toEqual({ volume: read.volume, readOnly: false });
    const state = mountedAt(logs!, '/var/lib/portico');
    expect(state.readOnly).toBe(false);
    expect(state.volume.emptyDir).toBeDefined();
    expect(state.volume.name).not.toBe(read.volume.name);
  });
});

describe('deploy/kustomize', () => {
  const multi = readManifests(new URL('multi-sidecar.yaml', folder));
  const deployment = readManifests(new URL('base/deployment.yaml', kustomize));

  it('has the pod of multi-sidecar.yaml as its base, with the same configuration', () => {
    expect(deployment).toEqual(multi.filter(({ kind }) => kind === 'Deployment'));
    expect(readManifests(new URL('base/service.yaml', kustomize))).toEqual(
      multi.filter(({ kind }) => kind === 'Service'),
    );
    for (const { data } of multi.filter(({ kind }) => kind === 'ConfigMap')) {
      for (const [name, text] of Object.entries(data!)) {
        expect(readFileSync(new URL(`base/${name}`, kustomize), 'utf8').trimEnd()).toBe(text.trimEnd());
      }
    }
  });

  it('has a configuration for dev that Portico takes', async () => {
    const text = readFileSync(new URL('overlays/dev/portico.yaml', kustomize), 'utf8');
    const { clusters } = (await parseConfig(text, 'portico.yaml', { environment: {} })).config;
    expect(clusters).toHaveLength(1);
  });

  it.each(['dev/small.yaml', 'production/spread.yaml'])('%s does not change the order of the sidecars', (patch) => {
    const names = deploymentIn(readManifests(new URL(`overlays/${patch}`, kustomize))).template.spec.initContainers;
    expect(names.map(({ name }) => name)).toEqual(sidecarOrder);
  });

  it.runIf(installed).each(['base', 'overlays/dev', 'overlays/production'])(
    '%s is built by kubectl into what Kubernetes takes',
    async (name) => {
      const copy = mkdtempSync(join(tmpdir(), 'portico-kustomize-'));
      onTestFinished(() => rmSync(copy, { recursive: true }));
      cpSync(kustomize, copy, { recursive: true });
      for (const file of ['tls.crt', 'tls.key']) writeFileSync(join(copy, 'overlays/dev', file), 'made for this test');
      const { stdout } = await promisify(execFile)('kubectl', ['kustomize', join(copy, name)]);
      const manifests = parseManifests(stdout);
      for (const manifest of manifests) expect(await kubernetesFaults(manifest)).toEqual([]);
      const { initContainers, volumes } = deploymentIn(manifests).template.spec;
      expect(initContainers.map((sidecar) => sidecar.name)).toEqual(sidecarOrder);
      expect(initContainers.map(({ image }) => image.split('/').at(-1))).toEqual(
        sidecarOrder.map(() => `portico:${version}`),
      );
      const mounted = volumes.flatMap(({ configMap }) => configMap?.name ?? []);
      expect(mounted.sort()).toEqual(
        manifests
          .filter(({ kind }: Manifest) => kind === 'ConfigMap')
          .map(({ metadata }) => metadata.name)
          .sort(),
      );
    },
  );
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
      ...nodeFlags,
      '/portico/src/cli.js',
    ]);
    expect(JSON.parse(last('CMD').slice('CMD '.length))).toEqual(['run', '-c', '/etc/portico/portico.yaml']);
  });

  it('runs with the flags of npm start and of the command itself', () => {
    const command = readFileSync(new URL('../../src/cli.js', import.meta.url), 'utf8').split('\n')[0];
    expect(command).toBe(`#!/usr/bin/env -S node ${nodeFlags.join(' ')}`);
    const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['start']).toBe(`node ${nodeFlags.join(' ')} src/cli.js demo`);
    expect(scripts['portico']).toBe(`node ${nodeFlags.join(' ')} src/cli.js`);
  });

  it('has more than one stage, and neither development nor platform packages', () => {
    expect(lines.filter((line) => line.startsWith('FROM '))).toHaveLength(2);
    expect(lines.join('\n')).toContain('npm ci --omit=dev --omit=optional');
  });
});
