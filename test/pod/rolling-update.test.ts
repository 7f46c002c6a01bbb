import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoles, roles as planned } from '../../src/inject/index.ts';
import { roles as landed } from '../../src/roles.ts';
import { makeAuthority } from '../support/certificates.ts';
import { deploymentIn, readManifests } from '../support/manifests.ts';
import type { LoadReport, StoredRecord } from './agent.ts';
import { startAgent, type AgentProcess } from './agent-process.ts';
import { Network, whyNoNamespaces } from './network.ts';
import { PlayedPod, type Ending } from './played-pod.ts';
import { prometheusInstalled, startPrometheus, type PrometheusServer } from './prometheus.ts';
import { configMapsOf } from './volumes.ts';

const why = whyNoNamespaces();
if (why !== undefined) console.warn(`test/pod is skipped: no network namespaces can be made here (${why})`);

/** Roles of this version, whose sidecars can be played. */
const there = allRoles.filter((role) => role === 'proxy' || Object.hasOwn(landed, role));
const sidecars = there.map((role) => planned[role].container);
const storePort = 9200;

describe.skipIf(why !== undefined)('the pod of deploy/multi-sidecar.yaml, played without Kubernetes', () => {
  let stage: Stage;
  let story: Story;

  beforeAll(async () => {
    stage = await Stage.set();
    story = await play(stage);
  }, 180_000);
  afterAll(() => stage?.clear(), 60_000);

  it('runs as a user who may do nothing special, and writes nowhere but to its volumes', () => {
    expect(Object.keys(story.confinements)).toEqual([...sidecars, 'app']);
    for (const { user, capabilities, root } of Object.values(story.confinements)) {
      expect({ user, capabilities, root }).toEqual({ user: '65532', capabilities: 0n, root: 'ro' });
    }
  });

  it('is reached on 80 and 443 from another namespace, and the app on 8080 is not', () => {
    const { address } = story.first;
    expect(story.load.byOrigin[`http ${address}`]).toBeGreaterThan(20);
    expect(story.load.byOrigin[`https ${address}`]).toBeGreaterThan(20);
    expect(story.pastTheDoor).toMatch(/ECONNREFUSED/);
  });

  it('loses no request in a rolling update', () => {
    expect(story.load.failures).toEqual([]);
    const { byOrigin } = story.load;
    expect(byOrigin[`http ${story.second.address}`]).toBeGreaterThan(20);
    expect(byOrigin[`https ${story.second.address}`]).toBeGreaterThan(20);
    expect(new Set(story.load.answered).size).toBe(story.load.answered.length);
  });

  it('stops the app first and then the sidecars in reverse order, each of its own accord', () => {
    const order = ['app', ...sidecars.toReversed()];
    for (const endings of [story.firstEndings, story.secondEndings]) {
      expect(endings.map(({ name, code }) => `${name} ${code}`)).toEqual(order.map((name) => `${name} 0`));
    }
  });

  it('stops within its grace period, most of which is left', () => {
    const took = story.firstEndings.reduce((sum, ending) => sum + ending.took, 0);
    expect(took).toBeLessThan((story.graceSeconds * 1000) / 2);
  });

  it('has a line in the access log of one of the pods for every request', () => {
    const lines = [story.first, story.second].flatMap((pod) => pod.container('portico').stdout().trim().split('\n'));
    const paths = lines
      .map((line) => (JSON.parse(line) as { path: string }).path)
      .filter((path) => path.startsWith('/order/'));
    expect(paths.sort()).toEqual([...story.load.answered].sort());
  });

  it.runIf(there.includes('logs'))('brings every line that the apps wrote to the log store, to the last one', () => {
    const written = story.appLogs.flatMap((text) => text.trim().split('\n'));
    expect(written.length).toBeGreaterThan(story.load.answered.length);
    const once = new Map(story.stored.map((record) => [record.id, record.fields]));
    const identity = (fields: Readonly<Record<string, unknown>>) =>
      `${String(fields['message'])} ${String(fields['path'] ?? fields['pid'])}`;
    expect([...once.values()].map(identity).sort()).toEqual(
      written.map((line) => identity(JSON.parse(line) as Record<string, unknown>)).sort(),
    );
  });

  it.runIf(there.includes('metrics') && prometheusInstalled)(
    'shows app and sidecars of both pods to a Prometheus server',
    () => {
      const { up, targetsUp } = story.scraped;
      expect(up.map(({ value }) => value)).toEqual([1, 1]);
      const asked = targetsUp
        .filter(({ value }) => value === 1)
        .map(({ labels }) => `${labels['pod']} ${labels['target']}`);
      const targets = ['app', ...there.filter((role) => role !== 'metrics')];
      expect(asked.sort()).toEqual(
        ['shop-1', 'shop-2'].flatMap((pod) => targets.map((name) => `${pod} ${name}`)).sort(),
      );
      expect(story.scraped.requests.map(({ labels }) => labels['pod']).sort()).toEqual(['shop-1', 'shop-2']);
      expect(Math.min(...story.scraped.requests.map(({ value }) => value))).toBeGreaterThan(0);
      expect(story.scraped.builds.map(({ labels }) => labels['container']).sort()).toEqual(
        ['shop-1', 'shop-2'].flatMap(() => sidecars).sort(),
      );
    },
  );
});

type Samples = Awaited<ReturnType<PrometheusServer['query']>>;

/** What happened, from the first pod's start to the last one's end. */
interface Story {
  readonly first: PlayedPod;
  readonly second: PlayedPod;
  readonly firstEndings: readonly Ending[];
  readonly secondEndings: readonly Ending[];
  readonly graceSeconds: number;
  readonly load: LoadReport;
  readonly confinements: ReturnType<PlayedPod['confinements']>;
  /** What came of asking the app itself. */
  readonly pastTheDoor: string;
  readonly stored: readonly StoredRecord[];
  readonly appLogs: readonly string[];
  readonly scraped: {
    readonly up: Samples;
    readonly targetsUp: Samples;
    readonly requests: Samples;
    readonly builds: Samples;
  };
}

/** One pod takes the place of another while clients go on. */
async function play(stage: Stage): Promise<Story> {
  const { client, kubelet } = stage;
  const first = await stage.startPod('shop-1');
  await client.do('startLoad', { addresses: [first.address], lanes: 8, authority: stage.authority });
  await stage.untilAnswered(first, 100);
  const pastTheDoor = await client.do('ask', `http://${first.address}:8080/`).then(
    ({ status }) => `answered with ${status}`,
    (error: unknown) => (error as Error).message,
  );

  const confinements = first.confinements();

  const second = await stage.startPod('shop-2');
  await client.do('setAddresses', [first.address, second.address]);
  await stage.untilAnswered(second, 100);
  const scraped = await stage.scrape([first, second]);

  const firstEnds = first.terminate();
  // Load balancers notice a while after the pod was told.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await client.do('setAddresses', [second.address]);
  const firstEndings = await firstEnds;
  await stage.untilAnswered(second, 200);
  const load = await client.do('stopLoad');

  const secondEndings = await second.terminate();
  const stored = await kubelet.do('stored');
  const appLogs = [first, second].map((pod) => readFileSync(join(pod.volume('logs'), 'app.log'), 'utf8'));
  const { graceSeconds } = stage;
  return {
    first,
    second,
    firstEndings,
    secondEndings,
    graceSeconds,
    load,
    pastTheDoor,
    confinements,
    stored,
    appLogs,
    scraped,
  };
}

/** Everything around the pods: network, clients, log store, Prometheus. */
class Stage {
  readonly kubelet: AgentProcess;
  readonly client: AgentProcess;
  readonly authority: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'portico-pod-'));
  readonly #network: Network;
  readonly #manifests = readManifests(new URL('../../deploy/multi-sidecar.yaml', import.meta.url));
  readonly #secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly #pods: PlayedPod[] = [];
  #prometheus: PrometheusServer | undefined;

  private constructor(network: Network, authority: string, certificate: { cert: string; key: string }) {
    this.#network = network;
    this.authority = authority;
    this.#secrets = {
      'shop-tls': { 'tls.crt': certificate.cert, 'tls.key': certificate.key },
      'shop-log-store': { 'api-key': 'a-key-of-the-test' },
    };
    this.kubelet = startAgent(network.node);
    this.client = startAgent(network.add('client'));
  }

  static async set(): Promise<Stage> {
    const authority = await makeAuthority();
    const certificate = await authority.issue('shop.test');
    const stage = new Stage(new Network(), authority.cert, certificate);
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

  /** What Prometheus knows of pods when it has seen all of them twice. */
  async scrape(pods: readonly PlayedPod[]): Promise<Story['scraped']> {
    if (!there.includes('metrics') || !prometheusInstalled) return { up: [], targetsUp: [], requests: [], builds: [] };
    const targets = pods.map(({ address }) => `${address}:${planned.metrics.adminPort}`);
    const prometheus = await startPrometheus(
      join(this.#folder, 'prometheus'),
      this.#network.node,
      this.kubelet,
      targets,
    );
    this.#prometheus = prometheus;
    const seenTwice = async () =>
      (await prometheus.query('count_over_time(shop_requests_total[1m])')).filter(({ value }) => value > 1).length;
    while ((await seenTwice()) < pods.length) await new Promise((resolve) => setTimeout(resolve, 100));
    return {
      up: await prometheus.query('up{target=""}'),
      targetsUp: await prometheus.query('up{target!=""}'),
      requests: await prometheus.query('shop_requests_total'),
      builds: await prometheus.query('portico_build_info'),
    };
  }

  /** Nothing is left running, mounted or lying about, however far it came. */
  async clear(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.kill()));
    await Promise.all([this.#prometheus?.stop(), this.kubelet.stop(), this.client.stop()]);
    this.#network.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As it is in the manifest, but for roles that this version lacks, and a shorter preStop. */
  #deployment() {
    const deployment = deploymentIn(this.#manifests);
    const pod = deployment.template.spec;
    const initContainers = pod.initContainers.filter(({ name }) => sidecars.includes(name));
    const containers = pod.containers.map((app) => ({ ...app, lifecycle: { preStop: { sleep: { seconds: 2 } } } }));
    return { ...deployment, template: { ...deployment.template, spec: { ...pod, initContainers, containers } } };
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
