import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Resolve } from '../../src/cluster/discovery.ts';
import { localResolve } from '../../src/cluster/local-resolve.ts';
import { eventually, exchange, startCluster, startUpstream } from '../support/cluster-harness.ts';
import { startDnsServer, type DnsAnswer, type DnsServer } from '../support/dns-server.ts';
import { startFront } from '../support/resilience.ts';
import { probe } from '../support/probing-client.ts';
import { answering, response } from '../support/scripted-upstream.ts';

async function nameServer(answers: Readonly<Record<string, DnsAnswer>>): Promise<DnsServer> {
  const server = await startDnsServer();
  onTestFinished(() => server.close());
  for (const [name, answer] of Object.entries(answers)) server.answer(name, answer);
  return server;
}

/** Two apps on one port, of different addresses. */
async function twoApps() {
  const old = await startUpstream(answering(response(200, 'old')));
  const young = await startUpstream(answering(response(200, 'new')), { host: '127.0.0.2', port: old.port });
  return { old, young, port: old.port };
}

const good = (address: string, ttl: number): DnsAnswer => ({ addresses: [address], ttl });
const asksSince = (server: DnsServer, name: string, since: number) =>
  server.questions.filter((one) => one.name === name && one.at > since).length;

/** What a busy machine may add to a limit in milliseconds. */
const leeway = 1000;

describe('RE45 a host name that our own name servers know', () => {
  it.each([0, 1, 2])('with a TTL of %i s is followed within that and a second; what is open is let go', async (ttl) => {
    const { old, port } = await twoApps();
    const server = await nameServer({ 'app.test': good('127.0.0.1', ttl) });
    const app = await startCluster({ endpoints: [`app.test:${port}`], dns: { resolvers: [server.address] } });
    expect((await exchange(app)).text).toBe('old');
    const changed = performance.now();
    server.answer('app.test', good('127.0.0.2', ttl));
    await eventually(async () => (await exchange(app)).text === 'new', 'the new address', (ttl + 5) * 1000);
    expect(performance.now() - changed).toBeLessThan((ttl + 1) * 1000 + leeway);
    await eventually(() => old.connections.every(({ ended }) => ended), 'old connections are closed');
  });

  it('is asked for again as its TTL says, once a second at most', async () => {
    const { port } = await twoApps();
    const server = await nameServer({ 'often.test': good('127.0.0.1', 0), 'seldom.test': good('127.0.0.1', 60) });
    const since = performance.now();
    await startCluster({
      endpoints: [`often.test:${port}`, `seldom.test:${port}`],
      dns: { resolvers: [server.address], refresh_rate: '100ms' },
    });
    await eventually(() => asksSince(server, 'often.test', since) >= 4, 'it is asked', 10_000);
    expect(performance.now() - since).toBeGreaterThan(2900);
    expect(asksSince(server, 'seldom.test', since)).toBe(1);
  });

  it.each<[string, DnsAnswer]>([
    ['does not exist any more', { error: 'NXDOMAIN' }],
    ['cannot be told', { error: 'SERVFAIL' }],
    ['may not be told', { error: 'REFUSED' }],
    ['has no address', { addresses: [], ttl: 1 }],
  ])('that %s keeps its last good answer, until there is a new one', async (_name, failure) => {
    const { port } = await twoApps();
    const server = await nameServer({ 'app.test': good('127.0.0.1', 0) });
    const app = await startCluster({
      endpoints: [`app.test:${port}`],
      dns: { resolvers: [server.address], refresh_rate: '100ms' },
    });
    const since = performance.now();
    server.answer('app.test', failure);
    await eventually(() => asksSince(server, 'app.test', since) >= 2, 'it is asked again', 10_000);
    expect((await exchange(app)).text).toBe('old');
    server.answer('app.test', good('127.0.0.2', 0));
    await eventually(async () => (await exchange(app)).text === 'new', 'the new address', 10_000);
  });

  it('of which nothing is known yet gives 503 DF, and is served when it is known', async () => {
    const { port } = await twoApps();
    const server = await nameServer({});
    const portico = await startFront([`app.test:${port}`], {
      cluster: { dns: { resolvers: [server.address], refresh_rate: '100ms' } },
    });
    expect((await probe(portico.port())).status).toBe(503);
    server.answer('app.test', good('127.0.0.1', 5));
    await eventually(async () => (await probe(portico.port())).status === 200, 'it is served');
  });

  it('with 300 addresses, which fit no datagram, is 300 endpoints', async () => {
    const addresses = Array.from({ length: 300 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
    const server = await nameServer({ 'many.test': { addresses, ttl: 5 } });
    const app = await startCluster({
      endpoints: ['many.test:8080'],
      dns: { resolvers: [server.address] },
    });
    expect(app.cluster.show().endpoints).toHaveLength(300);
    expect(server.questions.map(({ transport }) => transport)).toContain('tcp');
  });

  it('with a name server that takes five seconds is answered then, and neither names nor files wait for it', async () => {
    const { port } = await twoApps();
    const slow: DnsAnswer = { addresses: ['127.0.0.2'], ttl: 60, delay: 5000 };
    const names = Array.from({ length: 8 }, (_, at) => `slow${at}.test`);
    const server = await nameServer({
      'fast.test': good('127.0.0.1', 0),
      ...Object.fromEntries(names.map((name) => [name, slow])),
    });
    const app = await startCluster({
      endpoints: [...names, 'fast.test'].map((name) => `${name}:${port}`),
      connect_timeout: '500ms',
      dns: { resolvers: [server.address] },
    });
    const began = performance.now();
    expect((await exchange(app)).text).toBe('old');
    await readFile(new URL(import.meta.url));
    expect(asksSince(server, 'slow7.test', 0)).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(2000);
    await eventually(async () => (await exchange(app)).text === 'new', 'the slow answer', 15_000);
  });

  it('is known by the second name server when the first is dead', async () => {
    const { port } = await twoApps();
    const server = await nameServer({ 'app.test': good('127.0.0.1', 5) });
    const dead = await startDnsServer();
    await dead.close();
    const app = await startCluster({
      endpoints: [`app.test:${port}`],
      connect_timeout: '10s',
      dns: { resolvers: [dead.address, server.address] },
    });
    expect((await exchange(app)).text).toBe('old');
  });
});

/** A machine whose name server is ours. */
function machine(server: DnsServer | undefined, { hosts = '', options = '', system = [] as readonly string[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-names-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = { hosts: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf') };
  const setResolvConf = (text: string) => writeFileSync(files.resolvConf, text);
  writeFileSync(files.hosts, hosts);
  setResolvConf(server === undefined ? options : `nameserver 127.0.0.1\n${options}`);
  const askedSystem: string[] = [];
  const resolve = localResolve({
    ...files,
    refreshRate: 2000,
    port: Number(server?.address.split(':')[1] ?? 53),
    system: (host) => {
      askedSystem.push(host);
      return Promise.resolve(system.map((address) => ({ address, family: 4 })));
    },
  });
  return { resolve, askedSystem, setResolvConf, setHosts: (text: string) => writeFileSync(files.hosts, text) };
}

const addresses = async (answer: ReturnType<Resolve>) => (await answer).map(({ address }) => address);

describe('a host name that is looked up as this machine would', () => {
  const pod = 'search app.svc.cluster.test svc.cluster.test cluster.test\noptions ndots:5';

  it('is searched for in the domains of resolv.conf, and found where it is first', async () => {
    const server = await nameServer({
      'orders.shop.svc.cluster.test': good('10.0.0.1', 5),
      'orders.shop.cluster.test': good('10.0.0.2', 5),
    });
    const { resolve, askedSystem } = machine(server, { options: pod });
    expect(await addresses(resolve('orders.shop', 4))).toEqual(['10.0.0.1']);
    expect(server.questions.map(({ name }) => name)).toEqual([
      'orders.shop.app.svc.cluster.test',
      'orders.shop.svc.cluster.test',
    ]);
    expect(await addresses(resolve('orders.shop.cluster.test.', 0))).toEqual(['10.0.0.2']);
    expect(askedSystem).toEqual([]);
  });

  it('is that of the hosts file, without asking anybody; changes of both files count', async () => {
    const server = await nameServer({ 'app.test': good('10.0.0.9', 60), 'app.other.test': good('10.0.0.8', 60) });
    const { resolve, setHosts, setResolvConf } = machine(server, { hosts: '10.0.0.1 app.test\n' });
    expect(await addresses(resolve('app.test', 0))).toEqual(['10.0.0.1']);
    expect(server.questions).toEqual([]);
    setHosts('');
    expect(await addresses(resolve('app.test', 0))).toEqual(['10.0.0.9']);
    setResolvConf('nameserver 127.0.0.1\nsearch other.test\n');
    expect(await addresses(resolve('app', 0))).toEqual(['10.0.0.8']);
  });

  it('is asked for again as its TTL says, if that is sooner than configured', async () => {
    const server = await nameServer({ 'soon.test': good('10.0.0.1', 1), 'late.test': good('10.0.0.1', 30) });
    const { resolve } = machine(server);
    expect(await resolve('soon.test', 4)).toEqual([{ address: '10.0.0.1', family: 4, ttl: 1 }]);
    expect(await resolve('late.test', 4)).toEqual([{ address: '10.0.0.1', family: 4 }]);
  });

  it('is asked of the system when name servers do not know it, or when there are none', async () => {
    const server = await nameServer({ 'empty.test': { addresses: [], ttl: 1 } });
    const knows = machine(server, { system: ['10.0.0.7'] });
    expect(await addresses(knows.resolve('printer.local', 0))).toEqual(['10.0.0.7']);
    expect(await addresses(knows.resolve('empty.test', 4))).toEqual(['10.0.0.7']);
    const alone = machine(undefined, { options: 'nameserver fe80::1%eth0', system: ['10.0.0.7'] });
    expect(await addresses(alone.resolve('app.test', 0))).toEqual(['10.0.0.7']);
    expect([...knows.askedSystem, ...alone.askedSystem]).toEqual(['printer.local', 'empty.test', 'app.test']);
  });

  it.each<[DnsAnswer]>([[{ error: 'SERVFAIL' }], [{ error: 'REFUSED' }]])(
    'is not known when name servers cannot tell (%j), whatever the system would say',
    async (failure) => {
      const server = await nameServer({ 'app.test': failure });
      const { resolve, askedSystem } = machine(server, { options: 'search other.test', system: ['10.0.0.7'] });
      await expect(resolve('app.test', 4)).rejects.toThrow(/SERVFAIL|REFUSED/);
      expect(askedSystem).toEqual([]);
    },
  );

  it('waits for nobody else, nor do files, while name servers are silent', async () => {
    const { port } = await twoApps();
    const names = Array.from({ length: 8 }, (_, at) => `slow${at}.test`);
    const slow: DnsAnswer = { addresses: ['127.0.0.2'], ttl: 60, delay: 60_000 };
    const server = await nameServer({
      'fast.test': good('127.0.0.1', 0),
      ...Object.fromEntries(names.map((name) => [name, slow])),
    });
    const { resolve } = machine(server);
    const began = performance.now();
    const app = await startCluster(
      { endpoints: [...names, 'fast.test'].map((name) => `${name}:${port}`), connect_timeout: '500ms' },
      { resolve },
    );
    expect((await exchange(app)).text).toBe('old');
    await readFile(new URL(import.meta.url));
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('is found by the files of this very machine unless something else is configured', async () => {
    const { port } = await twoApps();
    for (const dns of [{}, { resolvers: 'system' }]) {
      const app = await startCluster({ endpoints: [`localhost:${port}`], dns });
      expect((await exchange(app)).text).toBe('old');
    }
  });
});
