import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ResolvedAddress } from '../../src/cluster/discovery.ts';
import { ConfigError } from '../../src/options/index.ts';
import { makeAuthority } from '../support/certificates.ts';
import { answering, response } from '../support/scripted-upstream.ts';
import { atRest, eventually, exchange, failureOf, startCluster, startUpstream } from '../support/cluster-harness.ts';

const ok = response(200, 'hello');
const v4 = (address: string): ResolvedAddress => ({ address, family: 4 });

describe('endpoints', () => {
  it('take turns, and those that failed before are avoided', async () => {
    const [one, two] = [await startUpstream(answering(ok)), await startUpstream(answering(ok))];
    const app = await startCluster({ endpoints: [one.address, { address: two.address, weight: 1 }] });
    const told: string[] = [];
    const onEndpoint = (endpoint: string) => told.push(endpoint);

    for (let n = 0; n < 4; n++) await exchange(app, { onEndpoint });
    expect(told).toEqual([one.address, two.address, one.address, two.address]);
    for (let n = 0; n < 2; n++)
      expect((await exchange(app, { avoid: new Set([one.address]) })).endpoint).toBe(two.address);
    // Better one that failed than none.
    expect((await exchange(app, { avoid: new Set([one.address, two.address]) })).status).toBe(200);
  });

  it('that fail again and again are left out for a while', async () => {
    let healed = false;
    const ill = await startUpstream(async (connection) => {
      for (;;) {
        await connection.head();
        await connection.write(healed ? response(200, 'well') : response(503, 'ill'));
      }
    });
    const well = await startUpstream(answering(ok));
    const app = await startCluster({
      endpoints: [ill.address, well.address],
      outlier_detection: { consecutive_5xx: 2, interval: '50ms', base_ejection_time: '200ms' },
    });

    const statuses: number[] = [];
    for (let n = 0; n < 10; n++) statuses.push((await exchange(app)).status);

    expect(statuses.filter((status) => status === 503)).toHaveLength(2);
    expect(app.cluster.show().endpoints).toMatchObject([{ health: 'ejected' }, { health: 'healthy' }]);
    expect(app.logged).toContain(`${ill.address} is ejected`);
    expect(await app.metric('portico_cluster_outlier_ejections_total{')).toBe(1);
    healed = true;
    await eventually(() => app.cluster.show().endpoints[0]!.health === 'healthy', 'it comes back');
    await eventually(async () => (await exchange(app)).text === 'well', 'it is asked again');
  });

  it('that refuse connections are left out too, and all of them together are not', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const well = await startUpstream(answering(ok));
    const app = await startCluster({
      endpoints: [`127.0.0.1:${port}`, well.address],
      outlier_detection: { consecutive_5xx: 1, max_ejection_percent: 100 },
      hold: { max_requests: 0 },
    });

    expect(await failureOf(exchange(app))).toMatchObject({ flag: 'UF' });
    expect(app.cluster.show().endpoints[0]).toMatchObject({ health: 'ejected' });
    for (let n = 0; n < 3; n++) expect((await exchange(app)).endpoint).toBe(well.address);
    await well.close();
    await eventually(async () => (await failureOf(exchange(app))).flag === 'UF', 'the other one fails too');

    expect(app.cluster.show().endpoints).toMatchObject([{ health: 'ejected' }, { health: 'ejected' }]);
    expect(await failureOf(exchange(app))).toMatchObject({
      flag: 'UF',
      details: 'upstream_connect_failure{connection_refused}',
    });
  });
});

describe('host names', () => {
  it('resolve to an endpoint each, and follow when the answer changes', async () => {
    const upstream = await startUpstream(answering(ok), { host: '0.0.0.0' });
    let answer = [v4('127.0.0.2'), v4('127.0.0.1')];
    // 10.x stands for any address that is not of this machine: only then is every address an endpoint.
    const asked: string[] = [];
    const app = await startCluster(
      { endpoints: [`app.test:${upstream.port}`], dns: { refresh_rate: '100ms' } },
      {
        resolve: async (host) => {
          asked.push(host);
          return [...answer, v4('10.255.255.1')];
        },
      },
    );

    const addresses = () => app.cluster.show().endpoints.map(({ address }) => address);
    expect(addresses()).toEqual([
      `10.255.255.1:${upstream.port}`,
      `127.0.0.1:${upstream.port}`,
      `127.0.0.2:${upstream.port}`,
    ]);
    expect((await exchange(app, { avoid: new Set([`10.255.255.1:${upstream.port}`]) })).text).toBe('hello');
    expect(app.cluster.show().idle_connections).toBe(1);

    answer = [v4('127.0.0.3')];
    await eventually(() => addresses().length === 2, 'the new answer is used');
    expect(addresses()).toEqual([`10.255.255.1:${upstream.port}`, `127.0.0.3:${upstream.port}`]);
    await upstream.connections[0]!.closed;
    expect(asked[0]).toBe('app.test');
    await atRest(app);
  });

  it('keep the last good answer when the name server fails', async () => {
    const upstream = await startUpstream(answering(ok));
    let broken = false;
    let asked = 0;
    const app = await startCluster(
      { endpoints: [`app.test:${upstream.port}`], dns: { refresh_rate: '100ms' } },
      {
        resolve: async () => {
          asked++;
          if (broken) throw new Error('SERVFAIL');
          return [v4('127.0.0.1')];
        },
      },
    );
    broken = true;
    const before = asked;
    await eventually(() => asked >= before + 2, 'it is asked again');

    expect((await exchange(app)).text).toBe('hello');
    expect(app.logged.filter((line) => line.includes('cannot be resolved'))).toHaveLength(1);
  });

  it('that resolve later than the start cost 503 until then', async () => {
    const upstream = await startUpstream(answering(ok));
    let there = false;
    const app = await startCluster(
      { endpoints: [`app.test:${upstream.port}`], dns: { refresh_rate: '100ms' } },
      {
        resolve: async () => {
          if (!there) throw new Error('ENOTFOUND');
          return [v4('127.0.0.1')];
        },
      },
    );

    expect(await failureOf(exchange(app))).toMatchObject({
      status: 503,
      flag: 'DF',
      details: 'dns_resolution_failure',
      untouched: true,
    });
    there = true;
    await eventually(() => app.cluster.show().endpoints.length === 1, 'it resolves');

    expect((await exchange(app)).text).toBe('hello');
    expect(app.logged.at(-1)).toBe('app.test can be resolved again');
  });

  it('do not hold up the start for longer than a connection may take', async () => {
    const app = await startCluster(
      { endpoints: ['slow.test:80'], connect_timeout: '50ms' },
      { resolve: () => new Promise(() => {}) },
    );

    expect(await failureOf(exchange(app))).toMatchObject({ flag: 'DF' });
  });

  it('are asked of the system: localhost works', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [`localhost:${upstream.port}`] });

    expect((await exchange(app)).text).toBe('hello');
  });

  it.each([
    ['::1 first', [{ address: '::1', family: 6 }, v4('127.0.0.1')]],
    ['127.0.0.1 first', [v4('127.0.0.1'), { address: '::1', family: 6 }]],
  ] as [string, ResolvedAddress[]][])(
    'of this machine work when the app listens on 127.0.0.1 only, %s',
    async (_name, addresses) => {
      const upstream = await startUpstream(answering(ok));
      const app = await startCluster({ endpoints: [`localhost:${upstream.port}`] }, { resolve: async () => addresses });

      for (let n = 0; n < 3; n++) {
        expect(await exchange(app)).toMatchObject({ text: 'hello', endpoint: `localhost:${upstream.port}` });
      }
      expect(upstream.connections).toHaveLength(1);
    },
  );

  it('of this machine are refused when nobody listens on either address', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const app = await startCluster(
      { endpoints: [`localhost:${port}`] },
      { resolve: async () => [{ address: '::1', family: 6 }, v4('127.0.0.1')] },
    );

    const failure = await failureOf(exchange(app));

    expect(failure).toMatchObject({ flag: 'UF', untouched: true });
    expect(failure.details).toMatch(/connection_refused|address_not_available|unreachable/);
  });
});

describe('TLS to the app', () => {
  async function secured(names: string[]) {
    const folder = mkdtempSync(join(tmpdir(), 'portico-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue(...names);
    const client = await authority.issue('client.test');
    writeFileSync(join(folder, 'ca.crt'), authority.cert);
    writeFileSync(join(folder, 'client.crt'), client.cert);
    writeFileSync(join(folder, 'client.key'), client.key);
    const seen: { servername: string | false; authorized: boolean; alpn: string | false | null }[] = [];
    const server = tls.createServer({
      cert,
      key,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    server.on('secureConnection', (socket) => {
      seen.push({ servername: socket.servername ?? false, authorized: socket.authorized, alpn: socket.alpnProtocol });
      socket.on('error', () => {});
      socket.on('data', () => socket.write(ok));
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return { folder, port: (server.address() as net.AddressInfo).port, seen };
  }

  it('verifies the name that was resolved', async () => {
    const { folder, port, seen } = await secured(['app.test']);
    const resolve = async () => [v4('127.0.0.1')];
    const app = await startCluster({ endpoints: [`app.test:${port}`], tls: { ca: `${folder}/ca.crt` } }, { resolve });

    expect((await exchange(app)).text).toBe('hello');
    expect((await exchange(app)).text).toBe('hello');
    expect(seen).toEqual([{ servername: 'app.test', authorized: false, alpn: 'http/1.1' }]);
  });

  it('verifies an address when there is no name', async () => {
    const { folder, port, seen } = await secured(['127.0.0.1']);
    const app = await startCluster({ endpoints: [`127.0.0.1:${port}`], tls: { ca: `${folder}/ca.crt` } });

    expect((await exchange(app)).text).toBe('hello');
    expect(seen[0]!.servername).toBe(false);
  });

  it('asks for the configured name, and shows a client certificate', async () => {
    const { folder, port, seen } = await secured(['inner.test']);
    const app = await startCluster(
      {
        endpoints: [`127.0.0.1:${port}`],
        tls: { ca: 'ca.crt', sni: 'inner.test', certificate: 'client.crt', private_key: 'client.key' },
      },
      { resolvePath: (path) => join(folder, path) },
    );

    expect((await exchange(app)).text).toBe('hello');
    expect(seen).toMatchObject([{ servername: 'inner.test', authorized: true }]);
  });

  it.each([
    ['an unknown authority', ['127.0.0.1'], {}, /^upstream_connect_failure\{tls_\w+\}$/],
    ['another name', ['other.test'], { ca: 'ca.crt' }, /^upstream_connect_failure\{tls_cert_altname_invalid\}$/],
  ])('refuses %s', async (_name, names, options, details) => {
    const { folder, port } = await secured(names);
    const app = await startCluster(
      { endpoints: [`127.0.0.1:${port}`], tls: options },
      { resolvePath: (path) => join(folder, path) },
    );

    const failure = await failureOf(exchange(app, { method: 'POST' }));

    expect(failure).toMatchObject({ status: 503, flag: 'UF', untouched: true });
    expect(failure.details).toMatch(details);
    await atRest(app);
  });

  it('takes any certificate only when told to', async () => {
    const { port } = await secured(['other.test']);
    const app = await startCluster({ endpoints: [`127.0.0.1:${port}`], tls: { insecure_skip_verify: true } });

    expect((await exchange(app)).text).toBe('hello');
  });

  it('of an app that speaks plain HTTP is a connect failure', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.read(1);
      await connection.write('HTTP/1.1 400 Bad Request\r\n\r\n');
      connection.fin();
    });
    const app = await startCluster({ endpoints: [upstream.address], tls: {} });

    const failure = await failureOf(exchange(app));

    expect(failure).toMatchObject({ flag: 'UF', untouched: true });
    expect(failure.details).toMatch(/^upstream_connect_failure\{tls_\w+\}$/);
    await atRest(app);
  });

  it('tells at load which file cannot be used', async () => {
    const error = await failureOf(startCluster({ endpoints: ['127.0.0.1:1'], tls: { ca: '/nonexistent.crt' } }));

    expect(error).toBeInstanceOf(ConfigError);
    expect((error as unknown as ConfigError).faults).toMatchObject([{ path: ['tls', 'ca'] }]);
  });
});

it('many attempts at once over one cluster leave nothing behind', async () => {
  const upstream = await startUpstream(answering(ok));
  const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_connections: 8 } });

  const answers = await Promise.all(Array.from({ length: 400 }, () => exchange(app)));

  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['hello']));
  expect(upstream.connections.length).toBeLessThanOrEqual(8);
  await atRest(app);
});
