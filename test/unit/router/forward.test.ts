import { setTimeout as later } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { UpstreamCluster, UpstreamResponse } from '../../../src/cluster/attempt.ts';
import {
  BodyStream,
  chunksOf,
  Headers,
  isLocalReply,
  readAll,
  textBody,
  UpstreamError,
  type Exchange,
  type Response,
} from '../../../src/http/index.ts';
import { Stats } from '../../../src/stats/index.ts';
import { answer, exchange, tableOf, textOf, type RequestParts, type World } from './parts.ts';
import {
  connectFailure,
  endpointOf,
  fail,
  hang,
  reset,
  respond,
  ScriptedCluster,
  staleConnection,
  upstreamError,
  type Script,
} from './scripted-cluster.ts';

type RouteInput = Parameters<typeof tableOf>[0][number];
type Forward = Partial<NonNullable<RouteInput['route']>>;

/** One exchange through a route that forwards to a cluster with the given scripts. */
function world(
  scripts: Script[],
  options: Forward = {},
  parts: RequestParts = {},
  extra: Partial<RouteInput> & World = {},
) {
  const cluster = new ScriptedCluster(scripts);
  const stats = new Stats();
  const { match, request_headers, response_headers, ...worldParts } = extra;
  const routes = tableOf(
    [
      {
        ...(match && { match }),
        ...(request_headers && { request_headers }),
        ...(response_headers && { response_headers }),
        route: { cluster: 'app', ...options },
      },
    ],
    { clusters: [cluster], stats, ...worldParts },
  );
  const of = exchange(parts);
  return { cluster, stats, exchange: of, response: outcomeOf(answer(routes, of)) };
}

async function outcomeOf(response: Promise<Response>): Promise<Response | UpstreamError> {
  try {
    return await response;
  } catch (error) {
    if (error instanceof UpstreamError) return error;
    throw error;
  }
}

async function metric(stats: Stats, name: string): Promise<Record<string, number>> {
  const lines = (await stats.render()).split('\n').filter((line) => line.startsWith(`portico_router_${name}_total{`));
  const values = lines.map((line) => {
    const [, labels, value] = /\{(.*)\} (\d+)/.exec(line)!;
    return [labels!.replace('cluster="app"', '').replace(/,?result="(\w+)"/, '$1'), Number(value)] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value > 0));
}

function reads(then: Script, text: string[] = []): Script {
  return async (attempt) => {
    text.push(await textOf(attempt.body));
    return then(attempt);
  };
}

/** Takes the given number of chunks of the request body, then does as told. */
function readsSome(chunks: number, then: Script, text: string[] = []): Script {
  return async (attempt) => {
    let seen = '';
    let count = 0;
    for await (const chunk of chunksOf(attempt.body)) {
      seen += Buffer.from(chunk).toString();
      if (++count === chunks) break;
    }
    text.push(seen);
    return then(attempt);
  };
}

function upload(length?: number) {
  const asked = { cancelled: undefined as Error | undefined };
  const stream = new BodyStream(length, { resume() {}, cancel: (reason) => void (asked.cancelled = reason) });
  return { stream, asked, push: (text: string) => stream.push(Buffer.from(text)) };
}

/** Resolves when everything that does not wait for time or sockets has happened. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const eager: Forward = { retry_policy: { retry_on: ['5xx'], num_retries: 3 } };

function factsOf({ upstream, responseFlags, responseCodeDetails }: Exchange) {
  return { ...upstream, flags: responseFlags.join(), details: responseCodeDetails };
}

describe('forwarding', () => {
  it('asks the cluster with the request as the route rewrites it, and passes its response on', async () => {
    const clock = { now: 0, monotonic: () => clock.now };
    const { cluster, exchange, response } = world(
      [
        (attempt) => {
          clock.now = 12;
          return respond(201, 'made', { 'X-App': '1' })(attempt);
        },
      ],
      {
        prefix_rewrite: '/v1/',
        host_rewrite: 'app.internal:81',
        idle_timeout: '3s',
        hash_policy: [{ source_ip: true }],
      },
      { method: 'POST', path: '/api/x?y', headers: { 'X-B': 'b' }, body: textBody('hi') },
      {
        match: { prefix: '/api/' },
        request_headers: { set: { 'x-c': 'c' } },
        response_headers: { remove: ['x-app'], set: { 'x-by': 'us' } },
        clock,
      },
    );
    const given = (await response) as Response;
    expect([given.status, given.headers.flat, await textOf(given.body)]).toEqual([201, ['x-by', 'us'], 'made']);
    expect(cluster.attempts[0]).toMatchObject({
      method: 'POST',
      scheme: 'http',
      authority: 'app.internal:81',
      path: '/v1/x?y',
      isRetry: false,
      perTryTimeout: 0,
      idleTimeout: 3000,
      hash: expect.any(Number) as number,
    });
    expect(cluster.attempts[0]!.headers.flat).toEqual(['X-B', 'b', 'x-c', 'c']);
    expect([exchange.request.path, exchange.request.headers.has('x-c')]).toEqual(['/api/x?y', false]);
    expect(factsOf(exchange)).toEqual({
      ...{ cluster: 'app', endpoint: endpointOf(1), attempts: 1, serviceTime: 12, failure: undefined },
      ...{ flags: '', details: 'via_upstream' },
    });
  });

  it('hands the headers over as they are when nothing edits them', async () => {
    const { cluster, exchange, response } = world([respond(200)]);
    await response;
    expect(cluster.attempts[0]!.headers).toBe(exchange.request.headers);
    expect([cluster.attempts[0]!.hash, cluster.attempts[0]!.idleTimeout]).toEqual([undefined, 0]);
  });

  it('relays interim responses until the final one', async () => {
    const informed: number[] = [];
    const cluster = new ScriptedCluster([
      (attempt) => {
        attempt.onInform(103, new Headers());
        return respond(200)(attempt);
      },
    ]);
    const routes = tableOf([{ route: { cluster: 'app' } }], { clusters: [cluster] });
    const of = exchange();
    await answer(routes, of, (status) => informed.push(status));
    cluster.attempts[0]!.onInform(102, new Headers());
    expect(informed).toEqual([103]);
  });
});

describe('retries', () => {
  it('try a connect failure again on another endpoint, also for POST', async () => {
    const bodies: string[] = [];
    const parts = { method: 'POST', body: textBody('hi') };
    const { cluster, exchange, response, stats } = world(
      [fail(connectFailure()), reads(respond(200), bodies)],
      {},
      parts,
    );
    expect((await response).status).toBe(200);
    // The app had nothing to bear yet, so it costs no budget.
    expect([bodies, cluster.attempts.map(({ isRetry }) => isRetry)]).toEqual([['hi'], [false, false]]);
    expect([...cluster.attempts[1]!.avoid]).toEqual([endpointOf(1)]);
    expect(factsOf(exchange)).toMatchObject({ attempts: 2, endpoint: endpointOf(2), failure: undefined, flags: '' });
    expect(await metric(stats, 'retries')).toEqual({ success: 1 });
  });

  it('try a stale connection again at once, and do not avoid its endpoint', async () => {
    const { cluster, response } = world([fail(staleConnection()), respond(200)], {}, {}, { random: () => 1e6 });
    expect((await response).status).toBe(200);
    expect([...cluster.attempts[1]!.avoid]).toEqual([]);
    expect(cluster.attempts.map(({ fresh, isRetry }) => [fresh, isRetry])).toEqual([
      [false, false],
      [true, true],
    ]);
  });

  it('leave a POST alone that the app may have seen', async () => {
    const { cluster, exchange, response } = world([fail(reset())], {}, { method: 'POST', body: textBody('hi') });
    expect(await response).toMatchObject({ flag: 'UC' });
    expect(cluster.attempts.length).toBe(1);
    expect(factsOf(exchange)).toMatchObject({ failure: 'upstream_reset_before_response', flags: '', details: '' });
  });

  it('end with URX and the last response, and cancel the earlier ones', async () => {
    const cancelled: number[] = [];
    const bodies = [1, 2, 3, 4].map(
      (number) => new BodyStream(undefined, { resume() {}, cancel: () => cancelled.push(number) }),
    );
    const { exchange, response, stats } = world(
      bodies.map((body) => respond(503, body)),
      eager,
    );
    const given = (await response) as Response;
    bodies[3]!.push(Buffer.from('last'));
    bodies[3]!.end();
    expect([given.status, await textOf(given.body), cancelled]).toEqual([503, 'last', [1, 2, 3]]);
    expect(factsOf(exchange)).toMatchObject({
      attempts: 4,
      flags: 'URX',
      details: 'via_upstream',
      failure: 'status 503',
    });
    expect(await metric(stats, 'retries')).toEqual({ failure: 3 });
    expect(await metric(stats, 'retries_exhausted')).toEqual({ '': 1 });
  });

  it('end with URX and the last error', async () => {
    const { exchange, response } = world([fail(connectFailure()), fail(connectFailure())]);
    expect(await response).toMatchObject({ flag: 'UF', details: 'upstream_connect_failure' });
    expect(factsOf(exchange)).toMatchObject({ attempts: 2, flags: 'URX', failure: 'upstream_connect_failure' });
  });

  it('do not happen, and are not counted, when there are none', async () => {
    const { exchange, response, cluster } = world([fail(connectFailure())], { retry_policy: { num_retries: 0 } });
    expect(await response).toMatchObject({ flag: 'UF' });
    expect([cluster.attempts.length, exchange.responseFlags]).toEqual([1, []]);
  });

  it('that find no room leave the response before them, if it is here', async () => {
    const { exchange, response } = world(
      [respond(503, 'first'), fail(upstreamError('UO', 'upstream_overflow{retries}', true))],
      eager,
    );
    const given = (await response) as Response;
    expect([given.status, await textOf(given.body)]).toEqual([503, 'first']);
    expect(factsOf(exchange)).toMatchObject({
      flags: 'UO',
      failure: 'status 503; no retry: upstream_overflow{retries}',
    });
  });

  it('that find no room leave the error before them', async () => {
    const { response } = world([fail(reset()), fail(upstreamError('UO', 'upstream_overflow{retries}', true))]);
    expect(await response).toMatchObject({ flag: 'UC' });
  });

  it('pass each try its own limit', async () => {
    const options: Forward = { retry_policy: { retry_on: ['reset'], per_try_timeout: '200ms' } };
    const { cluster, response } = world([fail(upstreamError('UT', 'upstream_per_try_timeout')), respond(200)], options);
    expect((await response).status).toBe(200);
    expect(cluster.attempts.map(({ perTryTimeout }) => perTryTimeout)).toEqual([200, 200]);
  });

  it('wait a random part of the interval', async () => {
    const started = performance.now();
    const { response } = world(
      [fail(connectFailure()), respond(200)],
      { retry_policy: { retry_back_off: { base_interval: '80ms' } } },
      {},
      { random: () => 0.5 },
    );
    expect((await response).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(38);
  });
});

describe('the deadline', () => {
  it('ends a try that hangs with 504 UT', async () => {
    const { cluster, exchange, response, stats } = world([hang], { timeout: '20ms' });
    expect(await response).toMatchObject({
      status: 504,
      flag: 'UT',
      details: 'upstream_response_timeout',
      untouched: false,
    });
    expect(cluster.attempts[0]!.cancellation.reason).toBeDefined();
    expect(factsOf(exchange)).toMatchObject({ endpoint: endpointOf(1), failure: 'upstream_response_timeout' });
    expect(await metric(stats, 'timeouts')).toEqual({ '': 1 });
  });

  it('spans all tries and the waits between them', async () => {
    const { cluster, response } = world(
      [fail(connectFailure()), respond(200)],
      { timeout: '20ms', retry_policy: { retry_back_off: { base_interval: '10s' } } },
      {},
      { random: () => 0.9 },
    );
    expect(await response).toMatchObject({ flag: 'UT' });
    expect(cluster.attempts.length).toBe(1);
  });

  it('begins when the whole request is here', async () => {
    const { stream, push } = upload();
    const { cluster, response } = world([reads(hang)], { timeout: '30ms' }, { method: 'POST', body: stream });
    push('a');
    await later(60);
    expect(cluster.attempts[0]!.cancellation.reason).toBeUndefined();
    stream.end();
    expect(await response).toMatchObject({ flag: 'UT' });
  });

  it('begins when the whole request is here even if nothing reads it yet', async () => {
    const { stream, push } = upload();
    const { response } = world([hang], { timeout: '20ms' }, { method: 'POST', body: stream });
    push('a');
    stream.end();
    expect(await response).toMatchObject({ flag: 'UT' });
  });

  it('does not concern the body of the response', async () => {
    const body = new BodyStream(undefined, { resume() {}, cancel() {} });
    const { cluster, response } = world([respond(200, body)], { timeout: '20ms' });
    const given = (await response) as Response;
    await later(40);
    body.push(Buffer.from('late'));
    body.end();
    expect([await textOf(given.body), cluster.attempts[0]!.cancellation.reason]).toEqual(['late', undefined]);
  });

  it('is off at 0', async () => {
    const { cluster, response, exchange } = world([hang], { timeout: '0s' });
    await later(20);
    expect(cluster.attempts[0]!.cancellation.reason).toBeUndefined();
    exchange.cancellation.cancel(new Error('left'));
    await response;
  });
});

describe('the request body', () => {
  it('is replayed byte by byte after a try that took some of it', async () => {
    const { stream, push } = upload();
    const bodies: string[] = [];
    const { response } = world(
      [readsSome(2, fail(reset()), bodies), reads(respond(200), bodies)],
      {},
      { method: 'PUT', body: stream },
    );
    for (const part of ['one ', 'two ']) {
      await settled();
      push(part);
    }
    await settled();
    push('three ');
    await settled();
    push('four');
    stream.end();
    expect((await response).status).toBe(200);
    expect(bodies).toEqual(['one two ', 'one two three four']);
  });

  it('is replayed after a try that took all of it and answered with a status to retry', async () => {
    const { stream, push } = upload();
    const bodies: string[] = [];
    const again: Forward = { retry_policy: { retry_on: ['gateway-error'], retry_non_idempotent: true } };
    const { response } = world([reads(respond(503), bodies), reads(respond(200), bodies)], again, {
      method: 'POST',
      body: stream,
    });
    push('one ');
    await settled();
    push('two');
    stream.end();
    expect((await response).status).toBe(200);
    expect(bodies).toEqual(['one two', 'one two']);
  });

  it('is not replayed when more was sent than is kept', async () => {
    const { stream, push, asked } = upload();
    const options: Forward = { retry_policy: { max_request_bytes: 4 } };
    const { cluster, exchange, response, stats } = world([readsSome(2, fail(reset()))], options, {
      method: 'PUT',
      body: stream,
    });
    await settled();
    push('123');
    await settled();
    push('45');
    expect(await response).toMatchObject({ flag: 'UC' });
    expect(cluster.attempts.length).toBe(1);
    expect(factsOf(exchange)).toMatchObject({
      failure: 'upstream_reset_before_response; retry_abandoned_body_too_large',
      flags: '',
    });
    expect(await metric(stats, 'retries_abandoned')).toEqual({ '': 1 });
    expect(asked.cancelled).toBeInstanceOf(UpstreamError);
  });

  it('goes to another try however large it is when the first one had no connection', async () => {
    const { stream, push } = upload(200_000);
    const bodies: string[] = [];
    const { response } = world(
      [fail(connectFailure()), reads(respond(200), bodies)],
      {},
      { method: 'POST', body: stream },
    );
    push('x'.repeat(50_000));
    await settled();
    for (let part = 0; part < 3; part++) push('x'.repeat(50_000));
    stream.end();
    expect((await response).status).toBe(200);
    expect(bodies[0]!.length).toBe(200_000);
  });

  it('goes on flowing after the response has begun', async () => {
    const { stream, push } = upload();
    const { cluster, response } = world([respond(200)], {}, { method: 'POST', body: stream });
    expect((await response).status).toBe(200);
    const sent = readAll(cluster.attempts[0]!.body, 100);
    push('late');
    stream.end();
    expect(Buffer.from(await sent).toString()).toBe('late');
  });

  it('that breaks off is not tried again, and blames nobody upstream', async () => {
    const { stream, push } = upload();
    const { cluster, response } = world(
      [
        async (attempt) => {
          await textOf(attempt.body).catch(() => {});
          throw reset();
        },
      ],
      { retry_policy: { retry_on: ['5xx'], retry_non_idempotent: true } },
      { method: 'PUT', body: stream },
    );
    push('a');
    await settled();
    stream.fail(new Error('gone'));
    expect(await response).toMatchObject({ flag: 'DC', details: 'downstream_request_incomplete' });
    expect(cluster.attempts.length).toBe(1);
  });

  it('that breaks off between two tries is not tried again', async () => {
    const { stream, push } = upload();
    const { cluster, response } = world(
      [fail(connectFailure())],
      { retry_policy: { retry_back_off: { base_interval: '20ms' } } },
      { method: 'PUT', body: stream },
      { random: () => 0.99 },
    );
    push('a');
    await settled();
    stream.fail(new Error('gone'));
    expect(await response).toMatchObject({ flag: 'DC' });
    expect(cluster.attempts.length).toBe(1);
  });
});

describe('a client that leaves', () => {
  it('ends the current try', async () => {
    const { cluster, exchange, response } = world([hang], eager);
    await settled();
    exchange.cancellation.cancel(new Error('left'));
    expect(await response).toMatchObject({ flag: 'DC', details: 'downstream_remote_disconnect' });
    expect([cluster.attempts.length, cluster.attempts[0]!.cancellation.reason?.message]).toEqual([
      1,
      'downstream_remote_disconnect: left',
    ]);
  });

  it('ends the wait between tries: there is no second one', async () => {
    const { cluster, exchange, response } = world(
      [fail(connectFailure()), respond(200)],
      { retry_policy: { retry_back_off: { base_interval: '60s' } } },
      {},
      { random: () => 0.9 },
    );
    await settled();
    exchange.cancellation.cancel(new Error('left'));
    expect(await response).toMatchObject({ flag: 'DC' });
    expect(cluster.attempts.length).toBe(1);
  });

  it('before the first try lets none begin', async () => {
    const cluster = new ScriptedCluster([respond(200)]);
    const routes = tableOf([{ route: { cluster: 'app' } }], { clusters: [cluster] });
    const of = exchange();
    of.cancellation.cancel(new Error('left'));
    await expect(answer(routes, of)).rejects.toMatchObject({ flag: 'DC' });
    expect(cluster.attempts.length).toBe(0);
  });

  it('is told to the try whose response is on its way', async () => {
    const { cluster, exchange, response } = world([respond(200)]);
    await response;
    exchange.cancellation.cancel(new Error('left'));
    expect(cluster.attempts[0]!.cancellation.reason).toBeDefined();
  });

  it('is not told to a try that failed', async () => {
    const { cluster, exchange, response } = world([fail(malformed())]);
    await response;
    exchange.cancellation.cancel(new Error('left'));
    expect(cluster.attempts[0]!.cancellation.reason).toBeUndefined();
  });

  it('at the moment of the response has its body cancelled', async () => {
    let cancelled: Error | undefined;
    const body = new BodyStream(undefined, { resume() {}, cancel: (reason) => void (cancelled = reason) });
    const cluster: UpstreamCluster = {
      name: 'app',
      send(attempt, done) {
        of.cancellation.cancel(new Error('left'));
        done(respond(200, body)(attempt) as UpstreamResponse);
      },
      tunnel: () => expect.unreachable(),
    };
    const routes = tableOf([{ route: { cluster: 'app' } }], { cluster: () => cluster });
    const of = exchange();
    await expect(answer(routes, of)).rejects.toMatchObject({ flag: 'DC' });
    expect(cancelled).toBeDefined();
  });
});

describe('an upgrade', () => {
  const socket = new PassThrough();
  const asking = (protocol: string): RequestParts => ({ upgrade: { protocol, socket, head: new Uint8Array(0) } });
  const switched: Script = async (attempt) => ({
    ...(await respond(101)(attempt)),
    tunnel: { ended: Promise.resolve({ bytesReceived: 0, bytesSent: 0 }) },
  });

  it('that the route allows becomes a tunnel, whose answer is not edited', async () => {
    const edits = { response_headers: { set: { 'x-a': 'b' } } };
    const { cluster, response, exchange } = world([switched], {}, asking('websocket'), edits);
    const given = (await response) as Response;
    expect([given.status, given.headers.size, cluster.upgrades.length]).toEqual([101, 0, 1]);
    expect(cluster.upgrades[0]).toBe(exchange.request.upgrade);
  });

  it('is refused otherwise', async () => {
    const { cluster, response } = world([], {}, asking('h2c'));
    const given = (await response) as Response;
    expect(given.status).toBe(403);
    expect(isLocalReply(given) && given.local.details).toBe('upgrade_not_allowed');
    expect(cluster.attempts.length).toBe(0);
  });

  it('is tried again after a connect failure, and after nothing else', async () => {
    const first = world([fail(connectFailure()), switched], eager, asking('websocket'));
    expect(await first.response).toMatchObject({ flag: 'UF' });
    const second = world([fail(connectFailure()), switched], {}, asking('websocket'));
    expect((await second.response).status).toBe(101);
    const third = world([fail(reset()), switched], {}, asking('websocket'));
    expect(await third.response).toMatchObject({ flag: 'UC' });
  });
});

function malformed(): UpstreamError {
  return upstreamError('UPE', 'upstream_protocol_error');
}
