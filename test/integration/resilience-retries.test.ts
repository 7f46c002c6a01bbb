import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/app-process.ts';
import { startApp } from '../support/app.ts';
import { eventually, startUpstream } from '../support/cluster-harness.ts';
import { load, probe, ProbingClient, tally } from '../support/probing-client.ts';
import { backToRest, startFront } from '../support/resilience.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';

const ok = response(200, 'hello');
const resetting: Script = async (connection) => {
  await connection.head();
  connection.rst();
};
const quick = { retry_back_off: { base_interval: '10ms' } };
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

it.each(['GET', 'POST'])(
  'RE01 a closed port is tried again for %s, then 503, in no more time than the back-offs',
  async (method) => {
    const portico = await startFront([`127.0.0.1:${await freePort()}`], {
      route: { retry_policy: { num_retries: 3, ...quick } },
    });
    const result = await probe(portico.port(), { method, body: method === 'POST' ? 'x' : '' });
    expect([result.status, result.body.trim()]).toEqual([503, 'upstream_connect_failure{connection_refused}']);
    expect(result.milliseconds).toBeLessThan(10 + 20 + 40 + 100);
    expect(await portico.metric('portico_cluster_upstream_connect_failures_total{cluster="app"}')).toBe(4);
    await backToRest(portico);
  },
);

it('RE02 a GET whose connection is reset before any byte of an answer is answered by the second try', async () => {
  const upstream = await startUpstream([resetting, answering(ok)]);
  const portico = await startFront([upstream.address], {
    route: { retry_policy: quick },
    http_filters: [
      { name: 'headers', config: { response: { set: { 'x-attempts': '%UPSTREAM_REQUEST_ATTEMPT_COUNT%' } } } },
    ],
  });
  const result = await probe(portico.port());
  expect([result.status, result.body, result.headers['x-attempts']]).toEqual([200, 'hello', '2']);
  expect(upstream.connections.filter(({ text }) => text.length > 0)).toHaveLength(2);
  expect(await portico.metric('portico_router_retries_total{cluster="app",result="success"}')).toBe(1);
});

it.each(['POST', 'PATCH'])('RE03 a %s whose connection is reset is 502, and the app sees it once', async (method) => {
  const upstream = await startUpstream([resetting, answering(ok)]);
  const portico = await startFront([upstream.address]);
  const result = await probe(portico.port(), { method, body: 'x' });
  expect(result.status).toBe(502);
  expect(upstream.connections.filter(({ text }) => text.length > 0)).toHaveLength(1);
});

it('RE04 a POST that may be repeated is, with the same bytes', async () => {
  const failing: Script = async (connection) => {
    await connection.until('body of some length');
    connection.rst();
  };
  const upstream = await startUpstream([failing, answering(ok)]);
  const portico = await startFront([upstream.address], {
    route: { retry_policy: { retry_non_idempotent: true, ...quick } },
  });
  const result = await probe(portico.port(), {
    method: 'POST',
    headers: ['Idempotency-Key: k1'],
    body: 'body of some length',
  });
  expect(result.status).toBe(200);
  const asked = upstream.connections.map(({ text }) => text);
  expect(asked).toHaveLength(2);
  expect(asked[0]).toContain('Idempotency-Key: k1');
  expect(asked[1]).toBe(asked[0]);
});

describe('RE05 a body whose try is reset midway', () => {
  const half =
    (bytes: number): Script =>
    async (connection) => {
      await connection.head();
      await connection.read(bytes);
      connection.rst();
    };

  it('is sent again byte for byte when it was kept', async () => {
    const digests: string[] = [];
    const reading: Script = async (connection) => {
      await connection.head();
      digests.push(
        createHash('sha256')
          .update(await connection.read(60_000), 'latin1')
          .digest('hex'),
      );
      await connection.write(ok);
    };
    const upstream = await startUpstream([half(20_000), reading]);
    const portico = await startFront([upstream.address], { route: { retry_policy: quick } });
    const body = Array.from({ length: 60_000 }, (_, at) => String.fromCharCode(at % 251)).join('');
    expect((await probe(portico.port(), { method: 'PUT', body })).status).toBe(200);
    expect(digests).toEqual([createHash('sha256').update(body, 'latin1').digest('hex')]);
  });

  it.each([
    ['gives 502 when there was too much of it, and says so in log and metric', 'PUT'],
    ['does so for a GET with content, too', 'GET'],
  ])('%s', async (_name, method) => {
    const upstream = await startUpstream([half(1_000_000), answering(ok)]);
    const portico = await startFront([upstream.address], {
      route: { retry_policy: quick },
      http_filters: [{ name: 'access-log', config: { path: 'access.log' } }],
    });
    const result = await probe(portico.port(), { method, body: 'x'.repeat(10_000_000) });
    expect([result.outcome, result.status]).toEqual(['whole', 502]);
    expect(await portico.metric('portico_router_retries_abandoned_total{cluster="app"}')).toBe(1);
    await eventually(() => {
      try {
        return readFileSync(`${portico.folder}/access.log`, 'utf8').includes('retry_abandoned_body_too_large');
      } catch {
        return false;
      }
    }, 'the log says so');
    expect(upstream.connections.filter(({ text }) => text.length > 0)).toHaveLength(1);
  });
});

it('RE06 an answer that breaks off after its head is not tried again, and the client sees that it is broken', async () => {
  const breaking: Script = async (connection) => {
    await connection.head();
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    await connection.wait(30);
    connection.rst();
  };
  const upstream = await startUpstream([breaking, answering(ok)]);
  const portico = await startFront([upstream.address], { route: { retry_policy: { retry_on: ['5xx', 'reset'] } } });
  const result = await probe(portico.port());
  expect([result.outcome, result.status, result.body]).toEqual(['broken', 200, 'half']);
  expect(upstream.connections).toHaveLength(1);
  await backToRest(portico);
});

it.each([
  [502, 3],
  [503, 3],
  [504, 3],
  [500, 1],
])(
  'RE07 status %i is asked for %i times with gateway-error, and the last answer is passed on',
  async (status, times) => {
    let count = 0;
    const app = await startApp((_request, answer) => {
      answer.writeHead(status);
      answer.end(`answer ${++count}`);
    });
    const portico = await startFront([`127.0.0.1:${app.port}`], {
      route: { retry_policy: { retry_on: ['gateway-error'], num_retries: 2, ...quick } },
    });
    const result = await probe(portico.port());
    expect([result.status, result.body]).toEqual([status, `answer ${times}`]);
  },
);

it('RE08 an app that only fails sees at most 1.2 times its load, and three more', async () => {
  let count = 0;
  const app = await startApp((_request, answer) => {
    count++;
    answer.writeHead(503);
    answer.end('failing');
  });
  const portico = await startFront([`127.0.0.1:${app.port}`], {
    route: { retry_policy: { retry_on: ['gateway-error'], num_retries: 3, ...quick } },
  });
  const results = await load(portico.port(), { rate: 500, duration: 2000, request: () => ({}) });
  expect(tally(results)).toEqual({ 503: results.length });
  expect(results.length).toBeGreaterThan(900);
  expect(count).toBeGreaterThan(results.length);
  expect(count).toBeLessThanOrEqual(1.2 * results.length + 3);
  await backToRest(portico);
});

it('RE09 a try without answer in per_try_timeout is given up, its connection closed, and the next one answers', async () => {
  const silent: Script = async (connection) => {
    await connection.head();
  };
  const upstream = await startUpstream([silent, answering(ok)]);
  const portico = await startFront([upstream.address], {
    route: { retry_policy: { retry_on: ['reset'], per_try_timeout: '200ms', ...quick } },
  });
  const result = await probe(portico.port());
  expect(result.status).toBe(200);
  expect(result.milliseconds).toBeGreaterThan(190);
  expect(result.milliseconds).toBeLessThan(400);
  await upstream.connections[0]!.closed;
});

it('RE10 the timeout of the route ends all tries, and none begins after it', async () => {
  const upstream = await startUpstream(async (connection) => {
    await connection.head();
  });
  const portico = await startFront([upstream.address], {
    route: {
      timeout: '300ms',
      retry_policy: { retry_on: ['reset'], num_retries: 9, per_try_timeout: '120ms', ...quick },
    },
  });
  const result = await probe(portico.port());
  expect(result.status).toBe(504);
  expect(result.milliseconds).toBeGreaterThan(280);
  expect(result.milliseconds).toBeLessThan(350);
  const tries = upstream.connections.length;
  await pause(200);
  expect(upstream.connections.length).toBe(tries);
  await backToRest(portico);
});

it('RE11 a client that leaves between two tries gets no second one', async () => {
  const upstream = await startUpstream([answering(response(503)), answering(ok)]);
  const portico = await startFront([upstream.address], {
    route: { retry_policy: { retry_on: ['gateway-error'], retry_back_off: { base_interval: '300ms' } } },
    portico: { random: () => 0.99 },
  });
  const client = new ProbingClient(portico.port());
  const gone = client.send();
  await eventually(() => upstream.connections[0]?.text.includes('\r\n\r\n') === true, 'the first try');
  await pause(50);
  client.socket!.destroy();
  await gone;
  await pause(400);
  expect(upstream.connections.map(({ text }) => text.split('HTTP/1.1').length - 1)).toEqual([1]);
  await backToRest(portico);
});

describe('RE07 Retry-After of the app', () => {
  const policy = { retry_on: ['gateway-error'], ...quick };

  it('is waited for', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(response(503, 'later', ['Retry-After: 1']));
      await connection.head();
      await connection.write(ok);
    });
    const portico = await startFront([upstream.address], {
      route: { retry_policy: policy },
      portico: { random: () => 0 },
    });
    const result = await probe(portico.port());
    expect([result.status, result.body]).toEqual([200, 'hello']);
    expect(result.milliseconds).toBeGreaterThan(990);
    expect(result.milliseconds).toBeLessThan(1300);
  });

  it.each([
    ['than is left of the timeout', { timeout: '500ms' }, {}],
    ['than max_interval', {}, { rate_limited_retry_back_off: { max_interval: '500ms' } }],
  ])('that asks for more %s is passed on at once', async (_what, route, more) => {
    const upstream = await startUpstream([answering(response(503, 'later', ['Retry-After: 1']))]);
    const portico = await startFront([upstream.address], { route: { ...route, retry_policy: { ...policy, ...more } } });
    const result = await probe(portico.port());
    expect([result.status, result.body, result.headers['retry-after']]).toEqual([503, 'later', '1']);
    expect(result.milliseconds).toBeLessThan(200);
  });
});

it('RE12 a retry goes to another endpoint than the one that failed', async () => {
  const failing = await startUpstream(answering(response(503, 'failing')));
  const well = await startUpstream(answering(ok));
  const portico = await startFront([failing.address, well.address], {
    route: { retry_policy: { retry_on: ['gateway-error'], ...quick } },
    portico: { random: () => 0 },
  });
  const results = [];
  // As many as the budget has retries for at least.
  for (let n = 0; n < 3; n++) results.push(await probe(portico.port()));
  expect(tally(results)).toEqual({ 200: 3 });
  expect(await portico.metric('portico_router_retries_total{cluster="app",result="success"}')).toBe(3);
});

describe('RE09 hedging', () => {
  const hedged = {
    per_try_timeout: '100ms',
    hedge_on_per_try_timeout: true,
    num_retries: 2,
    retry_on: ['gateway-error'],
  };
  const silent: Script = async (connection) => {
    await connection.head();
  };
  const slow =
    (milliseconds: number, text = ok): Script =>
    async (connection) => {
      await connection.head();
      await connection.wait(milliseconds);
      await connection.write(text);
    };

  it('takes the first good answer, and cancels the tries that lose', async () => {
    const upstream = await startUpstream([silent, slow(50, response(503, '', ['Connection: close'])), slow(20)]);
    const portico = await startFront([upstream.address], { route: { retry_policy: hedged } });
    const result = await probe(portico.port());
    expect([result.status, result.body]).toEqual([200, 'hello']);
    expect(result.milliseconds).toBeLessThan(320);
    await upstream.connections[0]!.closed;
    expect(await portico.metric('portico_router_hedges_total{cluster="app"}')).toBe(2);
    await backToRest(portico);
  });

  it('takes the answer of the first try when that comes first after all', async () => {
    const upstream = await startUpstream([slow(180, response(200, 'first')), silent]);
    const portico = await startFront([upstream.address], { route: { retry_policy: hedged } });
    expect((await probe(portico.port())).body).toBe('first');
    await upstream.connections[1]!.closed;
    await backToRest(portico);
  });

  it('is not for POST', async () => {
    const upstream = await startUpstream([slow(250), slow(0)]);
    const portico = await startFront([upstream.address], { route: { retry_policy: hedged } });
    expect((await probe(portico.port(), { method: 'POST', body: 'x' })).status).toBe(504);
    expect(upstream.connections).toHaveLength(1);
  });

  it('ends with the client', async () => {
    const upstream = await startUpstream(silent);
    const portico = await startFront([upstream.address], { route: { retry_policy: hedged } });
    const client = new ProbingClient(portico.port());
    const gone = client.send();
    await eventually(() => upstream.connections.length === 3, 'all tries are under way');
    client.socket!.destroy();
    await gone;
    await Promise.all(upstream.connections.map(({ closed }) => closed));
    await backToRest(portico);
  });
});
