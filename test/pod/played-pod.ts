/**
 * A pod as the kubelet runs it (KEP-753): sidecars start one after the other, each when the one before has passed its startup probe,
 * then the app; and when the pod is deleted, the app is stopped first, then the sidecars in the reverse order of their start.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { portOf, type Container, type DeploymentSpec, type PodSpec, type Probe } from '../support/manifests.ts';
import type { AgentProcess } from './agent-process.ts';
import { startContainer, type RunningContainer } from './container.ts';
import type { NetworkHost } from './network.ts';
import { layVolumes, type VolumeSources } from './volumes.ts';

export interface PodOptions {
  readonly name: string;
  readonly deployment: DeploymentSpec;
  readonly host: NetworkHost;
  /** An empty folder. */
  readonly folder: string;
  readonly sources: Pick<VolumeSources, 'configMaps' | 'secrets'>;
  /** Asks the probes, from the node. */
  readonly kubelet: AgentProcess;
}

/** How a container ended. */
export interface Ending {
  readonly name: string;
  readonly code: number | string;
  /** Milliseconds from being told. */
  readonly took: number;
}

export class PlayedPod {
  readonly address: string;
  readonly name: string;
  readonly #options: PodOptions;
  readonly #pod: PodSpec;
  readonly #volumes: ReadonlyMap<string, string>;
  /** In the order of their start. */
  readonly #containers: RunningContainer[] = [];

  constructor(options: PodOptions) {
    this.#options = options;
    this.#pod = options.deployment.template.spec;
    this.name = options.name;
    this.address = options.host.address;
    this.#volumes = layVolumes(join(options.folder, 'volumes'), this.#pod, {
      ...options.sources,
      field: (path) => this.#field(path),
    });
    for (const { name, value } of this.#pod.securityContext.sysctls ?? []) {
      const file = `/proc/sys/${name.replaceAll('.', '/')}`;
      const set = ['netns', 'exec', options.host.namespace, 'sh', '-c', `echo ${value} > ${file}`];
      if (spawnSync('ip', set).status !== 0) throw new Error(`cannot set ${name}`);
    }
  }

  /** Resolves when everything that has a readiness probe has passed it. */
  async start(): Promise<void> {
    for (const sidecar of this.#pod.initContainers) {
      const running = this.#run(sidecar);
      await this.#passes(sidecar, running, sidecar.startupProbe!);
    }
    for (const container of this.#pod.containers) this.#run(container);
    const all = [...this.#pod.initContainers, ...this.#pod.containers];
    for (const [index, container] of all.entries()) {
      if (container.readinessProbe === undefined) continue;
      await this.#passes(container, this.#containers[index]!, container.readinessProbe);
    }
  }

  container(name: string): RunningContainer {
    return this.#containers.find((one) => one.name === name)!;
  }

  /** As whom the containers run, with which capabilities, and whether their roots can be written to. */
  confinements(): Readonly<Record<string, { user: string; capabilities: bigint; root: string }>> {
    return Object.fromEntries(
      this.#containers.map(({ name, process: { pid } }) => {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const roots = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
        // proc_pid_mountinfo(5): the fifth field is the mount point as the process sees it, the sixth its options.
        const root = roots
          .split('\n')
          .map((line) => line.split(' '))
          .find((fields) => fields[4] === '/');
        return [
          name,
          {
            user: /^Uid:\t\d+\t(\d+)/m.exec(status)![1]!,
            capabilities: BigInt(`0x${/^CapEff:\t(\S+)/m.exec(status)![1]}`),
            root: root![5]!.split(',')[0]!,
          },
        ];
      }),
    );
  }

  /** The folder of a volume. */
  volume(name: string): string {
    return this.#volumes.get(name)!;
  }

  /** Deletes the pod. What has not ended within the grace period, which all share, is killed. */
  async terminate(): Promise<readonly Ending[]> {
    const end = performance.now() + this.#pod.terminationGracePeriodSeconds * 1000;
    const count = this.#pod.initContainers.length;
    const app = this.#containers
      .slice(count)
      .map((running, index) => this.#stop(running, this.#pod.containers[index]!, end));
    const endings = await Promise.all(app);
    for (let index = count - 1; index >= 0; index--) {
      endings.push(await this.#stop(this.#containers[index]!, this.#pod.initContainers[index]!, end));
    }
    return endings;
  }

  /** Kills what still runs; resolves when it is gone. */
  async kill(): Promise<void> {
    for (const { process } of this.#containers) process.kill('SIGKILL');
    await Promise.all(this.#containers.map(({ ended }) => ended));
  }

  #run(container: Container): RunningContainer {
    const { folder, host } = this.#options;
    const root = join(folder, 'roots', container.name);
    mkdirSync(root, { recursive: true });
    const environment = Object.fromEntries(
      (container.env ?? []).map(({ name, value, valueFrom }) => [
        name,
        value ?? this.#field(valueFrom!.fieldRef.fieldPath),
      ]),
    );
    const { namespace } = host;
    const podSecurity = this.#pod.securityContext;
    const running = startContainer(container, { namespace, root, volumes: this.#volumes, environment, podSecurity });
    this.#containers.push(running);
    return running;
  }

  /** Waits until a probe succeeds. @throws Error when the container ends, or fails as often as it may */
  async #passes(container: Container, running: RunningContainer, probe: Probe): Promise<void> {
    const url = `http://${this.address}:${portOf(container, probe.httpGet.port)}${probe.httpGet.path}`;
    let gone: number | string | undefined;
    void running.ended.then((code) => (gone = code));
    let last = '';
    // Far oftener than the kubelet, and for as long as it would at the start.
    const end = performance.now() + 60_000;
    while (performance.now() < end) {
      if (gone !== undefined) throw new Error(`${container.name} ended with ${gone}: ${running.stderr()}`);
      try {
        const { status } = await this.#options.kubelet.do('ask', url);
        if (status >= 200 && status < 400) return;
        last = String(status);
      } catch (error) {
        last = (error as Error).message;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${container.name} does not pass ${url}: ${last}; ${running.stderr()}`);
  }

  async #stop(running: RunningContainer, { lifecycle }: Container, end: number): Promise<Ending> {
    const preStop = lifecycle?.preStop?.sleep?.seconds ?? 0;
    await new Promise((resolve) => setTimeout(resolve, preStop * 1000));
    const told = performance.now();
    running.process.kill('SIGTERM');
    const timer = setTimeout(() => running.process.kill('SIGKILL'), Math.max(2000, end - told));
    const code = await running.ended;
    clearTimeout(timer);
    return { name: running.name, code, took: performance.now() - told };
  }

  #field(path: string): string {
    const { labels, annotations = {} } = this.#options.deployment.template.metadata;
    const lines = (pairs: Readonly<Record<string, string>>) =>
      Object.entries(pairs)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join('\n');
    const fields: Record<string, string> = {
      'metadata.name': this.name,
      'metadata.namespace': 'default',
      'metadata.uid': `uid-of-${this.name}`,
      'metadata.labels': lines(labels),
      'metadata.annotations': lines(annotations),
      'status.podIP': this.address,
      'spec.nodeName': 'node-1',
    };
    const value = fields[path];
    if (value === undefined) throw new Error(`a field that is not played: ${path}`);
    return value;
  }
}
