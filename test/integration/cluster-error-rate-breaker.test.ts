import { describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/http/index.ts';
import { response, type Script } from '../support/scripted-upstream.ts';
import { atRest, eventually, exchange, failureOf, startCluster, startUpstream } from '../support/cluster-harness.ts';

/** An app whose next answers can be chosen; `undefined` is silence. */
function moody() {
  const mood: { status: number | undefined } = { status: 500 };
  const script: Script = async (connection) => {
    for (;;) {
      await connection.head();
      if (mood.status === undefined) return;
      await connection.write(response(mood.status, 'x'));
    }
  };
  return { mood, script };
}

const error_rate_breaker = { minimum_requests: 4, open_duration: '150ms' };

describe('the error-rate breaker of a cluster with one endpoint', () => {
  it('opens, refuses without asking the app, probes once, and closes', async () => {
    const { mood, script } = moody();
    const upstream = await startUpstream(script);
    const app = await startCluster({ endpoints: [upstream.address], error_rate_breaker });
    for (let n = 0; n < 4; n++) expect((await exchange(app)).status).toBe(500);

    expect(await failureOf(exchange(app))).toMatchObject({
      status: 503,
      flag: 'UO',
      details: 'upstream_circuit_open',
      untouched: true,
    });
    expect(app.cluster.show().error_rate_breaker).toBe('open');
    expect(await app.metric('portico_cluster_circuit_breaker_state{')).toBe(2);
    expect(await app.metric('portico_cluster_overflow_total{cluster="app",ceiling="circuit_open"}')).toBe(1);
    const asked = () =>
      upstream.connections.map(({ text }) => text.split('HTTP/1.1').length - 1).reduce((a, b) => a + b, 0);
    expect(asked()).toBe(4);

    mood.status = 200;
    await eventually(() => app.cluster.show().error_rate_breaker === 'half_open', 'its time is up');
    const results = await Promise.all(
      Array.from({ length: 200 }, () => exchange(app).catch((error: { details: string }) => error)),
    );

    expect(results.filter((result) => 'status' in result && result.status === 200)).toHaveLength(1);
    expect(asked()).toBe(5);
    expect(app.cluster.show().error_rate_breaker).toBe('closed');
    expect((await exchange(app)).status).toBe(200);
    await atRest(app);
  });

  it('counts connections that fail, but not clients that leave', async () => {
    const { mood, script } = moody();
    mood.status = undefined;
    const upstream = await startUpstream(script);
    const app = await startCluster({ endpoints: [upstream.address], error_rate_breaker });
    for (let n = 0; n < 10; n++) {
      const cancellation = new Cancellation();
      const gone = failureOf(exchange(app, { cancellation }));
      cancellation.cancel(new Error('gone'));
      await gone;
    }
    expect(app.cluster.show().error_rate_breaker).toBe('closed');

    await upstream.close();
    for (let n = 0; n < 4; n++) expect(await failureOf(exchange(app))).toMatchObject({ flag: 'UF' });
    expect(await failureOf(exchange(app))).toMatchObject({ details: 'upstream_circuit_open' });
  });

  it('is not stuck when the client of the probe leaves', async () => {
    const { mood, script } = moody();
    const upstream = await startUpstream(script);
    const app = await startCluster({ endpoints: [upstream.address], error_rate_breaker });
    for (let n = 0; n < 4; n++) await exchange(app);
    await eventually(() => app.cluster.show().error_rate_breaker === 'half_open', 'its time is up');
    mood.status = undefined;
    const cancellation = new Cancellation();
    const probe = failureOf(exchange(app, { cancellation }));
    expect(await failureOf(exchange(app))).toMatchObject({ details: 'upstream_circuit_open' });

    cancellation.cancel(new Error('gone'));
    await probe;
    mood.status = 200;

    expect((await exchange(app)).status).toBe(200);
    expect(app.cluster.show().error_rate_breaker).toBe('closed');
  });
});
