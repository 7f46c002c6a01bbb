import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoles, roles as planned } from '../../src/inject/index.ts';
import { readManifests } from '../support/manifests.ts';
import type { LoadReport, StoredRecord } from './agent.ts';
import { whyNoNamespaces } from './network.ts';
import type { Ending, PlayedPod } from './played-pod.ts';
import { prometheusInstalled, type PrometheusServer } from './prometheus.ts';
import { Stage } from './stage.ts';

const sidecars = allRoles.map((role) => planned[role].container);
const why = whyNoNamespaces();
if (why !== undefined) console.warn(`test/pod is skipped: no network namespaces can be made here (${why})`);

describe.skipIf(why !== undefined)('the pod of deploy/multi-sidecar.yaml, played without Kubernetes', () => {
  let stage: Stage;
  let story: Story;

  beforeAll(async () => {
    stage = await Stage.set(readManifests(new URL('../../deploy/multi-sidecar.yaml', import.meta.url)));
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

  it('brings every line that the apps wrote to the log store, to the last one', () => {
    const written = story.appLogs.flatMap((text) => text.trim().split('\n'));
    expect(written.length).toBeGreaterThan(story.load.answered.length);
    const once = new Map(story.stored.map((record) => [record.id, record.fields]));
    const identity = (fields: Readonly<Record<string, unknown>>) =>
      `${String(fields['message'])} ${String(fields['path'] ?? fields['pid'])}`;
    expect([...once.values()].map(identity).sort()).toEqual(
      written.map((line) => identity(JSON.parse(line) as Record<string, unknown>)).sort(),
    );
  });

  it.runIf(prometheusInstalled)('shows app and sidecars of both pods to a Prometheus server', () => {
    const { up, targetsUp } = story.scraped;
    expect(up.map(({ value }) => value)).toEqual([1, 1]);
    const asked = targetsUp
      .filter(({ value }) => value === 1)
      .map(({ labels }) => `${labels['pod']} ${labels['target']}`);
    const targets = ['app', ...allRoles.filter((role) => role !== 'metrics')];
    expect(asked.sort()).toEqual(['shop-1', 'shop-2'].flatMap((pod) => targets.map((name) => `${pod} ${name}`)).sort());
    expect(story.scraped.requests.map(({ labels }) => labels['pod']).sort()).toEqual(['shop-1', 'shop-2']);
    expect(story.scraped.requests.map(({ labels }) => labels['app'])).toEqual(['shop', 'shop']);
    expect(Math.min(...story.scraped.requests.map(({ value }) => value))).toBeGreaterThan(0);
    expect(story.scraped.builds.map(({ labels }) => labels['container']).sort()).toEqual(
      ['shop-1', 'shop-2'].flatMap(() => sidecars).sort(),
    );
  });
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
  const scraped = await scrape(stage, [first, second]);

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

/** What Prometheus knows of pods when it has seen all of them twice. */
async function scrape(stage: Stage, pods: readonly PlayedPod[]): Promise<Story['scraped']> {
  if (!prometheusInstalled) return { up: [], targetsUp: [], requests: [], builds: [] };
  const prometheus = await stage.startPrometheus(pods, planned.metrics.adminPort);
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
