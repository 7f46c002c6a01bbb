import { describe, expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { eventually, exchange, failureOf, startCluster, startUpstream } from '../support/cluster-harness.ts';
import { probe, tally } from '../support/probing-client.ts';
import { clusterMetric, startFront } from '../support/resilience.ts';
import { answering, response } from '../support/scripted-upstream.ts';

const ok = response(200, 'hello');
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** An app whose health can be chosen, and which names itself. */
async function namedApp(name: string) {
  const state = { health: 200, checks: 0, requests: 0 };
  const app = await startApp((request, answer) => {
    if (request.url !== '/healthz') {
      state.requests++;
      return void answer.end(name);
    }
    state.checks++;
    answer.writeHead(state.health);
    answer.end();
  });
  return { state, address: `127.0.0.1:${app.port}`, app };
}

const health_check = { http: { path: '/healthz' }, interval: '30ms', timeout: '200ms', healthy_threshold: 2 };

describe('active health checks', () => {
  it('leave out an endpoint with an unexpected status at once, and take it back after healthy_threshold', async () => {
    const [a, b] = [await namedApp('a'), await namedApp('b')];
    const portico = await startFront([a.address, b.address], { cluster: { health_check } });
    expect(await clusterMetric(portico, 'endpoints_healthy')).toBe(2);
    a.state.health = 503;
    await eventually(async () => (await clusterMetric(portico, 'endpoints_healthy')) === 1, 'it is left out');
    a.state.requests = 0;
    for (let n = 0; n < 10; n++) expect((await probe(portico.port())).body).toBe('b');
    expect(a.state.requests).toBe(0);
    a.state.health = 200;
    await eventually(async () => (await clusterMetric(portico, 'endpoints_healthy')) === 2, 'it is back');
    const bodies = new Set<string>();
    for (let n = 0; n < 4; n++) bodies.add((await probe(portico.port())).body);
    expect(bodies).toEqual(new Set(['a', 'b']));
  });

  it('by TCP need unhealthy_threshold failures in a row', async () => {
    const upstream = await startUpstream(answering(ok));
    const other = await startUpstream(answering(ok));
    const app = await startCluster({
      endpoints: [upstream.address, other.address],
      health_check: { tcp: {}, interval: '40ms', unhealthy_threshold: 3 },
    });
    expect(app.cluster.show().endpoints.map(({ health }) => health)).toEqual(['healthy', 'healthy']);
    const failedChecks = () => app.metric('portico_cluster_health_checks_total{cluster="app",result="failure"}');
    await upstream.close();
    await eventually(() => app.cluster.show().endpoints[0]!.health === 'unhealthy', 'it is left out');
    expect(await failedChecks()).toBeGreaterThanOrEqual(3);
    expect(app.logged).toContain(`${upstream.address} is unhealthy`);
  });

  it('that hang count as failures, and never pile up', async () => {
    const hanging = await startUpstream(async (connection) => {
      await connection.head();
    });
    const well = await startUpstream(answering(ok));
    const app = await startCluster({
      endpoints: [hanging.address, well.address],
      health_check: { http: {}, interval: '20ms', timeout: '50ms', unhealthy_threshold: 2 },
    });
    await eventually(() => app.cluster.show().endpoints[0]!.health === 'unhealthy', 'it is left out');
    await pause(200);
    expect(hanging.connections.filter(({ ended }) => !ended).length).toBeLessThanOrEqual(1);
  });

  it('bring back an endpoint that outlier detection had ejected', async () => {
    const [a, b] = [await namedApp('a'), await namedApp('b')];
    const app = await startCluster({
      endpoints: [a.address, b.address],
      health_check,
      outlier_detection: { consecutive_5xx: 1, base_ejection_time: '1h', max_ejection_time: '1h' },
    });
    a.app.server.removeAllListeners('request');
    a.app.server.on('request', (request, answer) => {
      answer.writeHead(request.url === '/healthz' ? 200 : 500);
      answer.end();
    });
    await eventually(async () => {
      await exchange(app);
      return app.logged.includes(`${a.address} is ejected`);
    }, 'it is ejected');
    await eventually(() => app.cluster.show().endpoints[0]!.health === 'healthy', 'it is back long before its time');
  });

  it('in panic are ignored: with less than half healthy all get requests, and the metric says so', async () => {
    const apps = [await namedApp('a'), await namedApp('b'), await namedApp('c')];
    const portico = await startFront(
      apps.map(({ address }) => address),
      { cluster: { health_check } },
    );
    apps[0]!.state.health = 503;
    apps[1]!.state.health = 503;
    await eventually(async () => (await clusterMetric(portico, 'panic')) === 1, 'panic');
    const bodies = new Set<string>();
    for (let n = 0; n < 6; n++) bodies.add((await probe(portico.port())).body);
    expect(bodies).toEqual(new Set(['a', 'b', 'c']));
    apps[0]!.state.health = 200;
    await eventually(async () => (await clusterMetric(portico, 'panic')) === 0, 'no panic');
  });

  it('without panic give 503 UH when nobody is healthy', async () => {
    const a = await namedApp('a');
    a.state.health = 503;
    const app = await startCluster({ endpoints: [a.address], health_check, healthy_panic_threshold: 0 });
    expect(await failureOf(exchange(app))).toMatchObject({ status: 503, flag: 'UH', details: 'no_healthy_upstream' });
    a.state.health = 200;
    await eventually(() => app.cluster.show().endpoints[0]!.health === 'healthy', 'it is back');
    expect((await exchange(app)).text).toBe('a');
  });
});

it('slow start gives an endpoint that comes back less than its share at first', async () => {
  const [a, b] = [await namedApp('a'), await namedApp('b')];
  a.state.health = 503;
  const app = await startCluster(
    { endpoints: [a.address, b.address], health_check, slow_start: { window: '1h' } },
    { random: Math.random },
  );
  expect(app.cluster.show().endpoints.map(({ health }) => health)).toEqual(['unhealthy', 'healthy']);
  a.state.health = 200;
  await eventually(() => app.cluster.show().endpoints[0]!.health === 'healthy', 'it is back');
  for (let n = 0; n < 200; n++) await exchange(app);
  expect(a.state.requests).toBeGreaterThan(2);
  expect(a.state.requests).toBeLessThan(60);
});

describe('RE45 a host name', () => {
  const upstreams = async () => [
    await startUpstream(answering(response(200, 'old'))),
    await startUpstream(answering(response(200, 'new')), { host: '127.0.0.2' }),
  ];

  it('whose address changes is followed within refresh and a second, and errors keep the last good answer', async () => {
    const old = await startUpstream(answering(response(200, 'old')));
    const young = await startUpstream(answering(response(200, 'new')), { host: '127.0.0.2', port: old.port });
    let answer: { address: string; family: 4 }[] | Error = [{ address: '127.0.0.1', family: 4 }];
    const app = await startCluster(
      { endpoints: [`app.test:${old.port}`], dns: { refresh_rate: '200ms' } },
      { resolve: () => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) },
    );
    expect((await exchange(app)).text).toBe('old');
    for (const failure of [new Error('NXDOMAIN'), [], new Error('SERVFAIL')] as const) {
      answer = failure as never;
      await pause(450);
      expect((await exchange(app)).text).toBe('old');
    }
    const changed = performance.now();
    answer = [{ address: '127.0.0.2', family: 4 }];
    await eventually(async () => (await exchange(app)).text === 'new', 'the new address');
    expect(performance.now() - changed).toBeLessThan(1200);
    expect(old.connections.every(({ ended }) => ended)).toBe(true);
    await young.close();
  });

  it('that takes five seconds to resolve holds up no other name', async () => {
    const [first, second] = await upstreams();
    let address = '127.0.0.9';
    const app = await startCluster(
      {
        endpoints: [`slow.test:${first!.port}`, `fast.test:${second!.port}`],
        dns: { refresh_rate: '100ms' },
        connect_timeout: '300ms',
        hold: { max_requests: 0 },
      },
      {
        resolve: async (host) => {
          if (host === 'slow.test') await pause(5000);
          return [{ address, family: 4 }];
        },
      },
    );
    address = '127.0.0.2';
    await eventually(
      () => app.cluster.show().endpoints.some((one) => one.address === `127.0.0.2:${second!.port}`),
      'it is followed',
    );
    expect((await exchange(app)).text).toBe('new');
  });

  it('with 300 addresses is 300 endpoints', async () => {
    const upstream = await startUpstream(answering(ok));
    const many = Array.from({ length: 300 }, (_, at) => ({
      address: `10.0.${at >> 8}.${at & 255}`,
      family: 4 as const,
    }));
    const app = await startCluster(
      { endpoints: [`app.test:${upstream.port}`] },
      { resolve: () => Promise.resolve(many) },
    );
    expect(app.cluster.show().endpoints).toHaveLength(300);
  });
});

it('RE46 localhost works when the app listens on 127.0.0.1 only', async () => {
  const upstream = await startUpstream(answering(ok));
  const portico = await startFront([`localhost:${upstream.port}`]);
  const results = [];
  for (let n = 0; n < 3; n++) results.push(await probe(portico.port()));
  expect(tally(results)).toEqual({ 200: 3 });
});
