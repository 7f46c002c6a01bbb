import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { eventually } from '../support/cluster-harness.ts';
import { probe, ProbingClient, tally } from '../support/probing-client.ts';
import { backToRest, clusterMetric, startFront } from '../support/resilience.ts';

/** An app whose answers are held until they are let go, or come at once with a chosen status. */
async function moodyApp() {
  const waiting: ServerResponse[] = [];
  const mood: { status: number | undefined; count: number } = { status: undefined, count: 0 };
  const app = await startApp((_request, answer) => {
    mood.count++;
    if (mood.status === undefined) return void waiting.push(answer);
    answer.writeHead(mood.status);
    answer.end('x');
  });
  return { mood, waiting, address: `127.0.0.1:${app.port}` };
}

describe('RE31 ceilings', () => {
  it('of 1 connection, 1 waiting and 2 requests are exact under 500 at once, and overflow is told', async () => {
    const { waiting, mood, address } = await moodyApp();
    const circuit_breakers = { max_connections: 1, max_pending_requests: 1, max_requests: 2 };
    const portico = await startFront([address], { cluster: { circuit_breakers } });
    const results = Array.from({ length: 500 }, () => probe(portico.port()));
    await eventually(() => waiting.length === 1, 'one arrives');
    await eventually(
      async () => (await clusterMetric(portico, 'overflow_total', ',ceiling="max_requests"')) === 498,
      'overflow',
    );
    expect(await clusterMetric(portico, 'upstream_requests_active')).toBe(2);
    expect(await clusterMetric(portico, 'pending_requests')).toBe(1);
    mood.status = 200;
    waiting.shift()!.end('x');
    const all = await Promise.all(results);
    expect(tally(all)).toEqual({ 200: 2, 503: 498 });
    const refused = all.filter(({ status }) => status === 503);
    expect(new Set(refused.map(({ headers }) => headers['x-portico-overloaded']))).toEqual(new Set(['true']));
    expect(mood.count).toBe(2);
    await backToRest(portico);
  });

  it('of waiting requests are exact too', async () => {
    const { waiting, mood, address } = await moodyApp();
    const circuit_breakers = { max_connections: 1, max_pending_requests: 7 };
    const portico = await startFront([address], { cluster: { circuit_breakers } });
    const results = Array.from({ length: 500 }, () => probe(portico.port()));
    const overflown = () => clusterMetric(portico, 'overflow_total', ',ceiling="max_pending_requests"');
    await eventually(async () => (await overflown()) === 492, 'overflow');
    mood.status = 200;
    waiting.shift()!.end('x');
    expect(tally(await Promise.all(results))).toEqual({ 200: 8, 503: 492 });
    await backToRest(portico);
  });
});

const breaker = { minimum_requests: 5, open_duration: '200ms' };
const transition = (to: string, reason: string) => `,to="${to}",reason="${reason}"`;

describe('RE32 an open breaker', () => {
  it('lets exactly one of 200 through when its time is up; success closes it', async () => {
    const { mood, address } = await moodyApp();
    const portico = await startFront([address], { cluster: { error_rate_breaker: breaker } });
    mood.status = 500;
    for (let n = 0; n < 5; n++) expect((await probe(portico.port())).status).toBe(500);
    expect((await probe(portico.port())).body.trim()).toBe('upstream_circuit_open');
    expect(await clusterMetric(portico, 'circuit_breaker_state')).toBe(2);
    mood.status = undefined;
    mood.count = 0;
    await eventually(async () => (await clusterMetric(portico, 'circuit_breaker_state')) === 1, 'half open');
    mood.status = 200;
    const results = await Promise.all(Array.from({ length: 200 }, () => probe(portico.port())));
    // Those that arrive after the probe was answered find a closed circuit; before that nobody else gets through.
    const answered = results.filter(({ status }) => status === 200).length;
    expect(answered + results.filter(({ body }) => body.trim() === 'upstream_circuit_open').length).toBe(200);
    expect(mood.count).toBe(answered);
    expect(
      await clusterMetric(portico, 'circuit_breaker_transitions_total', transition('closed', 'probe_succeeded')),
    ).toBe(1);
    await backToRest(portico);
  });

  it('lets no second one through while the first is under way; failure opens it for twice as long', async () => {
    const { mood, waiting, address } = await moodyApp();
    const portico = await startFront([address], {
      cluster: { error_rate_breaker: { ...breaker, open_duration: '400ms' } },
    });
    mood.status = 500;
    for (let n = 0; n < 5; n++) await probe(portico.port());
    mood.status = undefined;
    mood.count = 0;
    await eventually(async () => (await clusterMetric(portico, 'circuit_breaker_state')) === 1, 'half open');
    const results = Array.from({ length: 200 }, () => probe(portico.port()));
    const refused = () => clusterMetric(portico, 'overflow_total', ',ceiling="circuit_open"');
    await eventually(async () => (await refused()) === 199, '199 are refused');
    expect(waiting).toHaveLength(1);
    const failed = performance.now();
    waiting.shift()!.writeHead(500).end('x');
    expect(tally(await Promise.all(results))).toEqual({ 500: 1, 503: 199 });
    expect(mood.count).toBe(1);
    await eventually(async () => (await clusterMetric(portico, 'circuit_breaker_state')) === 1, 'half open again');
    expect(performance.now() - failed).toBeGreaterThan(780);
    expect(await clusterMetric(portico, 'circuit_breaker_transitions_total', transition('open', 'probe_failed'))).toBe(
      1,
    );
    const shown = await fetch(`http://127.0.0.1:${portico.adminPort}/clusters?format=json`);
    expect(((await shown.json()) as { clusters: unknown[] }).clusters[0]).toMatchObject({
      error_rate_breaker: 'half_open',
      error_rate_breaker_history: { reason: 'time_is_up', transitions: 4 },
    });
    await backToRest(portico);
  });
});

describe('RE33 a probe', () => {
  it('that hangs ends the half-open state, and the next one closes it', async () => {
    const { mood, address } = await moodyApp();
    const portico = await startFront([address], {
      cluster: { error_rate_breaker: breaker },
      route: { timeout: '0s', retry_policy: { num_retries: 0 } },
    });
    mood.status = 500;
    for (let n = 0; n < 5; n++) await probe(portico.port());
    mood.status = undefined;
    await eventually(async () => (await clusterMetric(portico, 'circuit_breaker_state')) === 1, 'half open');
    const client = new ProbingClient(portico.port());
    const hanging = client.send();
    const timedOut = transition('open', 'probe_timeout');
    await eventually(
      async () => (await clusterMetric(portico, 'circuit_breaker_transitions_total', timedOut)) === 1,
      'it is open again',
    );
    mood.status = 200;
    await eventually(async () => (await probe(portico.port())).status === 200, 'it closes');
    client.socket!.destroy();
    await hanging;
    expect((await probe(portico.port())).status).toBe(200);
    await backToRest(portico);
  });

  it('whose client leaves gives its place to the next', async () => {
    const { mood, address } = await moodyApp();
    const portico = await startFront([address], {
      cluster: { error_rate_breaker: { ...breaker, open_duration: '1s' } },
    });
    mood.status = 500;
    for (let n = 0; n < 5; n++) await probe(portico.port());
    mood.status = undefined;
    await eventually(async () => (await clusterMetric(portico, 'circuit_breaker_state')) === 1, 'half open');
    const client = new ProbingClient(portico.port());
    const before = mood.count;
    const hanging = client.send();
    await eventually(() => mood.count === before + 1, 'the probe is there');
    expect((await probe(portico.port())).status).toBe(503);
    client.socket!.destroy();
    await hanging;
    mood.status = 200;
    const left = performance.now();
    await eventually(async () => (await probe(portico.port())).status === 200, 'the next one');
    expect(performance.now() - left).toBeLessThan(200);
    expect(await clusterMetric(portico, 'circuit_breaker_state')).toBe(0);
  });
});
