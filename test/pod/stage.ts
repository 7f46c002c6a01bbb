import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../support/certificates.ts';
import { deploymentIn, type DeploymentSpec, type Manifest } from '../support/manifests.ts';
import { startAgent, type AgentProcess } from './agent-process.ts';
import { Network } from './network.ts';
import { PlayedPod } from './played-pod.ts';
import { startPrometheus, type PrometheusServer } from './prometheus.ts';
import { configMapsOf } from './volumes.ts';

const storePort = 9200;

/** Everything around the pods: network, clients, log store, Prometheus. */
export class Stage {
  readonly kubelet: AgentProcess;
  readonly client: AgentProcess;
  readonly authority: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'portico-pod-'));
  readonly #network: Network;
  readonly #manifests: readonly Manifest[];
  readonly #secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly #pods: PlayedPod[] = [];
  #prometheus: PrometheusServer | undefined;

  private constructor(
    manifests: readonly Manifest[],
    network: Network,
    authority: string,
    certificate: { cert: string; key: string },
  ) {
    this.#manifests = manifests;
    this.#network = network;
    this.authority = authority;
    this.#secrets = {
      'shop-tls': { 'tls.crt': certificate.cert, 'tls.key': certificate.key },
      'shop-log-store': { 'api-key': 'a-key-of-the-test' },
    };
    this.kubelet = startAgent(network.node);
    this.client = startAgent(network.add('client'));
  }

  /** @param manifests a Deployment and the ConfigMaps of its pods */
  static async set(manifests: readonly Manifest[]): Promise<Stage> {
    const authority = await makeAuthority();
    const certificate = await authority.issue('shop.test');
    const stage = new Stage(manifests, new Network(), authority.cert, certificate);
    try {
      await stage.kubelet.do('startStore', storePort);
      return stage;
    } catch (error) {
      await stage.clear();
      throw error;
    }
  }

  get graceSeconds(): number {
    return this.#deployment().template.spec.terminationGracePeriodSeconds;
  }

  async startPod(name: string): Promise<PlayedPod> {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    const host = this.#network.add(name);
    const { kubelet } = this;
    const sources = { configMaps: this.#configMaps(), secrets: this.#secrets };
    const pod = new PlayedPod({ name, deployment: this.#deployment(), host, folder, sources, kubelet });
    this.#pods.push(pod);
    await pod.start();
    return pod;
  }

  /** Waits for so many more answers of a pod. */
  async untilAnswered({ address }: PlayedPod, more: number): Promise<void> {
    const count = async () => {
      const all = await this.client.do('answeredSoFar');
      return (all[`http ${address}`] ?? 0) + (all[`https ${address}`] ?? 0);
    };
    const goal = (await count()) + more;
    while ((await count()) < goal) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** A Prometheus server that scrapes pods. */
  async startPrometheus(pods: readonly PlayedPod[], port: number): Promise<PrometheusServer> {
    const targets = pods.map(({ address }) => `${address}:${port}`);
    const folder = join(this.#folder, 'prometheus');
    this.#prometheus = await startPrometheus(folder, this.#network.node, this.kubelet, targets);
    return this.#prometheus;
  }

  /** Nothing is left running, mounted or lying about, however far it came. */
  async clear(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.kill()));
    await Promise.all([this.#prometheus?.stop(), this.kubelet.stop(), this.client.stop()]);
    this.#network.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As it is in the manifest, but for a shorter preStop. */
  #deployment(): DeploymentSpec {
    const deployment = deploymentIn(this.#manifests);
    const pod = deployment.template.spec;
    const containers = pod.containers.map((app) => ({ ...app, lifecycle: { preStop: { sleep: { seconds: 2 } } } }));
    return { ...deployment, template: { ...deployment.template, spec: { ...pod, containers } } };
  }

  /** As they are in the manifest, but for where the log store is. */
  #configMaps() {
    const store = `http://${this.#network.node.address}:${storePort}`;
    return Object.fromEntries(
      Object.entries(configMapsOf(this.#manifests)).map(([name, data]) => [
        name,
        Object.fromEntries(
          Object.entries(data).map(([file, text]) => [file, text.replaceAll('https://logs.example:9200', store)]),
        ),
      ]),
    );
  }
}
