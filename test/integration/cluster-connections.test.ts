import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Cancellation, readAll, textBody } from '../../src/http/index.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';
import {
  atRest,
  attempt,
  eventually,
  exchange,
  failureOf,
  startCluster,
  startUpstream,
  send,
} from '../support/cluster-harness.ts';

const ok = response(200, 'hello');

describe('connections to the app', () => {
  it('are used again', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address] });

    for (let n = 0; n < 5; n++) expect((await exchange(app)).text).toBe('hello');

    expect(upstream.connections).toHaveLength(1);
    expect(await app.metric('portico_cluster_upstream_connections_total{')).toBe(1);
    expect(await app.metric('portico_cluster_upstream_requests_total{cluster="app",code_class="2xx"}')).toBe(5);
  });

  it('are used again in the order last in, first out', async () => {
    const answers: Record<string, () => void> = {};
    const upstream = await startUpstream(async (connection) => {
      for (;;) {
        const head = await connection.head();
        const path = head.split(' ')[1]!;
        if (path !== '/now') await new Promise<void>((resolve) => (answers[path] = resolve));
        await connection.write(ok);
      }
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    const first = exchange(app, { path: '/first' });
    const second = exchange(app, { path: '/second' });
    await eventually(() => Object.keys(answers).length === 2, 'both requests arrive');
    answers['/first']!();
    await first;
    answers['/second']!();
    await second;

    await exchange(app, { path: '/now' });

    const last = upstream.connections.find(({ text }) => text.includes('/second'))!;
    expect(last.text).toContain('GET /now');
    expect(upstream.connections).toHaveLength(2);
  });

  it('are left when the app says close', async () => {
    const upstream = await startUpstream(answering(response(200, 'hello', ['Connection: close'])));
    const app = await startCluster({ endpoints: [upstream.address] });

    await exchange(app);
    await exchange(app);

    expect(upstream.connections).toHaveLength(2);
    await upstream.connections[0]!.closed;
    await atRest(app);
  });

  it('are left when bytes come that nobody asked for', async () => {
    let sent = () => {};
    const poisoned = new Promise<void>((resolve) => (sent = resolve));
    const upstream = await startUpstream([
      async (connection) => {
        await connection.head();
        await connection.write(ok);
        await connection.wait(20);
        await connection.write(response(200, 'POISON'));
        sent();
      },
      answering(ok),
    ]);
    const app = await startCluster({ endpoints: [upstream.address] });

    await exchange(app);
    await poisoned;
    await upstream.connections[0]!.closed;

    expect((await exchange(app)).text).toBe('hello');
    expect(upstream.connections).toHaveLength(2);
  });

  it.each([
    ['bytes behind the content', `${response(200, 'SEE-THIS')}-BUT-NOT-THIS`, 'SEE-THIS'],
    ['a second response behind the first', response(200, 'OK') + response(200, 'POISON'), 'OK'],
  ])('are left after %s', async (_name, text, seen) => {
    const upstream = await startUpstream([answering(text), answering(ok)]);
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app)).text).toBe(seen);
    expect((await exchange(app, { method: 'POST' })).text).toBe('hello');
    expect(upstream.connections[0]!.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('are closed when they were idle for too long', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address], idle_timeout: '100ms' });

    await exchange(app);
    expect(app.cluster.show().idle_connections).toBe(1);
    await upstream.connections[0]!.closed;

    await eventually(() => app.cluster.show().idle_connections === 0, 'the connection is forgotten');
    await atRest(app);
  });

  it('are closed a second before the app would close them', async () => {
    const upstream = await startUpstream(answering(response(200, 'hello', ['Keep-Alive: timeout=2'])));
    const app = await startCluster({ endpoints: [upstream.address], idle_timeout: '60s' });
    const begun = performance.now();

    await exchange(app);
    await upstream.connections[0]!.closed;

    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(performance.now() - begun).toBeLessThan(1900);
  });

  it('end after so many requests, and say so', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address], max_requests_per_connection: 2 });

    for (let n = 0; n < 4; n++) await exchange(app);

    expect(upstream.connections).toHaveLength(2);
    const [first, last] = upstream.connections[0]!.text.split('\r\n\r\n');
    expect(first).not.toMatch(/connection: close/i);
    expect(last).toMatch(/connection: close/i);
  });

  it('work over a unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const upstream = await startUpstream(answering(ok), { path: join(folder, 'app.sock') });
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app)).endpoint).toBe(`unix:${folder}/app.sock`);
    await exchange(app);
    expect(upstream.connections).toHaveLength(1);
  });

  it('are closed politely: idle ones at once, busy ones when they are done', async () => {
    let answer = () => {};
    const upstream = await startUpstream([
      async (connection) => {
        await connection.head();
        await new Promise<void>((resolve) => (answer = resolve));
        await connection.write(ok);
      },
      answering(ok),
    ]);
    const app = await startCluster({ endpoints: [upstream.address] });
    const busy = exchange(app);
    await upstream.connection(0);
    await exchange(app);
    await eventually(() => upstream.connections[0]!.text !== '', 'the first request arrives');

    app.cluster.close();
    await upstream.connections[1]!.closed;
    expect(upstream.connections[0]!.ended).toBe(false);
    answer();

    expect((await busy).text).toBe('hello');
    await upstream.connections[0]!.closed;
    await atRest(app);
  });
});

describe('a connection that died while it was idle', () => {
  /** Answers once, then closes when told. */
  function mortal(): { script: Script; die: () => void } {
    let die = () => {};
    const death = new Promise<void>((resolve) => (die = resolve));
    return {
      script: async (connection) => {
        await connection.head();
        await connection.write(ok);
        await death;
        connection.fin();
      },
      die: () => die(),
    };
  }

  it.each(['GET', 'POST'])('costs a %s nothing', async (method) => {
    const { script, die } = mortal();
    const upstream = await startUpstream([script, answering(ok)]);
    const app = await startCluster({ endpoints: [upstream.address] });
    await exchange(app);

    die();
    // The end of the connection has left the app; whether it was noticed here makes no difference.
    await eventually(() => upstream.connections[0]!.socket.writableFinished, 'the app ends the connection');
    await new Promise((resolve) => setImmediate(resolve));
    const answer = await exchange(app, { method });

    expect(answer.text).toBe('hello');
    expect(upstream.connections).toHaveLength(2);
    expect(upstream.connections[0]!.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('is told as such when the request may have been seen, and its like are not used any more', async () => {
    const gates: (() => void)[] = [];
    const dying: Script = async (connection) => {
      await connection.head();
      await new Promise<void>((resolve) => gates.push(resolve));
      await connection.write(ok);
      // Closes in the moment in which the next request arrives.
      await connection.head();
      connection.rst();
    };
    const upstream = await startUpstream([dying, dying, dying, answering(ok)]);
    const app = await startCluster({ endpoints: [upstream.address] });
    const three = [exchange(app), exchange(app), exchange(app)];
    await eventually(() => gates.length === 3, 'three connections are busy');
    for (const open of gates) open();
    await Promise.all(three);
    expect(app.cluster.show().idle_connections).toBe(3);

    const failure = await failureOf(exchange(app, { method: 'POST', body: textBody('x') }));

    expect(failure).toMatchObject({
      status: 502,
      flag: 'UC',
      details: 'upstream_reset_before_response{reused}',
      untouched: false,
    });
    expect((await exchange(app)).text).toBe('hello');
    expect(upstream.connections).toHaveLength(4);
    await atRest(app);
  });
});

describe('the ceilings', () => {
  /** Holds every request until it is let go. */
  function holding(): { script: Script; arrived: () => number; release: () => void } {
    const held: (() => void)[] = [];
    let arrived = 0;
    return {
      script: async (connection) => {
        for (;;) {
          await connection.head();
          arrived++;
          await new Promise<void>((resolve) => held.push(resolve));
          await connection.write(ok);
        }
      },
      arrived: () => arrived,
      release: () => held.shift()?.(),
    };
  }

  it('refuse at once what goes beyond max_requests', async () => {
    const app1 = holding();
    const upstream = await startUpstream(app1.script);
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_requests: 2 } });
    const two = [exchange(app), exchange(app)];

    const failure = await failureOf(exchange(app));

    expect(failure).toMatchObject({
      status: 503,
      flag: 'UO',
      details: 'upstream_overflow{max_requests}',
      untouched: true,
    });
    expect(await app.metric('portico_cluster_overflow_total{cluster="app",ceiling="max_requests"}')).toBe(1);
    await eventually(() => app1.arrived() === 2, 'the others are under way');
    app1.release();
    app1.release();
    await Promise.all(two);
    await atRest(app);
    const again = exchange(app);
    await eventually(() => app1.arrived() === 3, 'the next one is admitted');
    app1.release();
    expect((await again).text).toBe('hello');
  });

  it('let requests beyond max_connections wait in line, in order', async () => {
    const app1 = holding();
    const upstream = await startUpstream(app1.script);
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_connections: 1 } });
    const done: string[] = [];
    const all = ['/1', '/2', '/3'].map((path) => exchange(app, { path }).then(() => done.push(path)));
    await eventually(() => app1.arrived() === 1, 'the first is under way');

    expect(app.cluster.show().circuit_breakers).toMatchObject({
      max_connections: { used: 1, most: 1 },
      max_pending_requests: { used: 2, most: 1024 },
    });
    expect(await app.metric('portico_cluster_pending_requests{')).toBe(2);
    for (let n = 1; n <= 3; n++) {
      await eventually(() => app1.arrived() === n, `request ${n} arrives`);
      app1.release();
    }
    await Promise.all(all);

    expect(done).toEqual(['/1', '/2', '/3']);
    expect(upstream.connections).toHaveLength(1);
    await atRest(app);
  });

  it('wake who waits when a connection is closed instead of coming free', async () => {
    const upstream = await startUpstream(answering(response(200, 'hello', ['Connection: close'])));
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_connections: 1 } });

    const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(app)));

    expect(answers.map(({ text }) => text)).toEqual(Array(10).fill('hello'));
    expect(upstream.connections).toHaveLength(10);
    await atRest(app);
  });

  it('refuse at once what goes beyond max_pending_requests, exactly', async () => {
    const app1 = holding();
    const upstream = await startUpstream(app1.script);
    const app = await startCluster({
      endpoints: [upstream.address],
      circuit_breakers: { max_connections: 1, max_pending_requests: 1, max_requests: 1000 },
    });

    const results = Array.from({ length: 500 }, () =>
      exchange(app).then(
        ({ text }) => text,
        (error: { details: string }) => error.details,
      ),
    );
    await eventually(() => app1.arrived() === 1, 'the first is under way');
    app1.release();
    await eventually(() => app1.arrived() === 2, 'the second is under way');
    app1.release();
    const counts = Map.groupBy(await Promise.all(results), (result) => result);

    expect(counts.get('hello')).toHaveLength(2);
    expect(counts.get('upstream_overflow{max_pending_requests}')).toHaveLength(498);
    await atRest(app);
  });

  it('limit retries apart', async () => {
    const app1 = holding();
    const upstream = await startUpstream(app1.script);
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_retries: 1 } });
    const first = exchange(app, { isRetry: true });

    expect(await failureOf(exchange(app, { isRetry: true }))).toMatchObject({
      flag: 'UO',
      details: 'upstream_overflow{max_retries}',
    });
    const other = exchange(app);
    await eventually(() => app1.arrived() === 2, 'a first try is not a retry');
    app1.release();
    app1.release();
    await Promise.all([first, other]);
    await atRest(app);
  });

  it('free the place of a client that leaves while it waits', async () => {
    const app1 = holding();
    const upstream = await startUpstream(app1.script);
    const app = await startCluster({
      endpoints: [upstream.address],
      circuit_breakers: { max_connections: 1, max_pending_requests: 1 },
    });
    const first = exchange(app);
    await eventually(() => app1.arrived() === 1, 'the first is under way');
    const cancellation = new Cancellation();
    const waiting = failureOf(exchange(app, { cancellation }));
    cancellation.cancel(new Error('gone'));
    expect(await waiting).toMatchObject({ flag: 'DC', untouched: true });

    const next = exchange(app, { path: '/next' });
    app1.release();
    await first;
    await eventually(() => app1.arrived() === 2, 'the next one arrives');
    app1.release();

    expect((await next).text).toBe('hello');
    expect(upstream.connections[0]!.text).toContain('GET /next');
    await atRest(app);
  });

  it('let an idle connection to another endpoint make room', async () => {
    const one = await startUpstream(answering(ok));
    const two = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [one.address, two.address], circuit_breakers: { max_connections: 1 } });

    expect((await exchange(app)).endpoint).toBe(one.address);
    expect((await exchange(app)).endpoint).toBe(two.address);

    await one.connections[0]!.closed;
    await atRest(app);
  });

  it('count a request until its body has flowed', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
      await connection.until('never').catch(() => {});
    });
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_requests: 1 } });

    const { body } = await send(app.cluster, attempt());
    expect(await failureOf(exchange(app))).toMatchObject({ details: 'upstream_overflow{max_requests}' });
    await upstream.connections[0]!.write('llo');
    expect(Buffer.from(await readAll(body, 10)).toString()).toBe('hello');

    await atRest(app);
  });
});
