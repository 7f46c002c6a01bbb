import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { Load } from '../support/load.ts';
import { runPortico, type PorticoProcess } from '../support/process.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(port: number, path = '/', agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: agent ?? false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    }).on('error', reject);
  });
}

/** The process that answers. */
function askUnix(socketPath: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get({ socketPath, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.headers['x-pid']));
    }).on('error', reject);
  });
}

/** Tells in every answer which process made it. */
const whoServes = `import { defineFilter } from 'portico';
export default defineFilter({ doc: 'Tells who serves.', create: () => ({
  onResponse(response) { response.headers.set('x-pid', String(process.pid)); },
}) });`;

/** Never comes back from a request for /hang. */
const hangs = `import { defineFilter } from 'portico';
export default defineFilter({ doc: 'Hangs.', create: () => ({
  onRequest(request) { while (request.path === '/hang'); },
}) });`;

function configuration(appPort: number, { workers = 2, version = 1, more = '' } = {}): string {
  return `admin: { address: 127.0.0.1:0 }
workers: ${workers}
listeners: [{ name: http, address: 127.0.0.1:0 }]
reload: { poll_interval: 200ms }
drain: { pre_drain_delay: 300ms, drain_time: 10s }
http_filters:
  - { name: ./who-serves.ts }
  - { name: headers, config: { response: { set: { x-version: 'v${version}' } } } }
clusters: [{ name: app, endpoints: ['127.0.0.1:${appPort}'] }]
${more}`;
}

interface WorkerState {
  readonly worker: number;
  readonly pid: number;
  readonly state: string;
  readonly restarts: number;
  readonly connections: number;
}

interface Group {
  readonly process: PorticoProcess;
  readonly file: string;
  readonly port: number;
  workers(): Promise<WorkerState[]>;
  admin(path: string): Promise<Answer>;
  post(path: string): Promise<{ status: number; body: string }>;
  /** Sum of the series whose line matches; undefined without any. */
  metric(line: RegExp): Promise<number | undefined>;
}

function configFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'who-serves.ts'), whoServes);
  writeFileSync(join(folder, 'hangs.ts'), hangs);
  writeFileSync(join(folder, 'portico.yaml'), text);
  return join(folder, 'portico.yaml');
}

async function startGroup(text: string): Promise<Group> {
  const file = configFile(text);
  const portico = runPortico(['run', '-c', file]);
  const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
  const adminPort = Number(await portico.says(/"admin":"127\.0\.0\.1:(\d+)"/));
  const admin = (path: string) => ask(adminPort, path);
  return {
    process: portico,
    file,
    port,
    admin,
    workers: async () => (JSON.parse((await admin('/workers')).body) as { workers: WorkerState[] }).workers,
    async post(path) {
      const response = await fetch(`http://127.0.0.1:${adminPort}${path}`, { method: 'POST' });
      return { status: response.status, body: await response.text() };
    },
    async metric(pattern) {
      const lines = (await admin('/metrics')).body.split('\n').filter((line) => pattern.test(line));
      if (lines.length === 0) return undefined;
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
  };
}

/** The processes that answer, found out by asking on new connections until `count` of them have. */
async function servers(port: number, count: number): Promise<Set<unknown>> {
  const pids = new Set<unknown>();
  for (let at = 0; at < 2000 && pids.size < count; at++) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(port)));
    for (const { headers } of answers) pids.add(headers['x-pid']);
  }
  return pids;
}

function runs(pid: number): boolean {
  try {
    // A process that nobody has waited for yet is there, and dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('workers', () => {
  it('share unix sockets, also one that a crash has left behind', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const file = configFile('');
    const path = join(file, '..', 'front.sock');
    const leave = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', leave]);
    expect(existsSync(path)).toBe(true);
    writeFileSync(
      file,
      configuration(app.port).replace('name: http, address: 127.0.0.1:0', `name: http, address: 'unix:${path}'`),
    );
    const portico = runPortico(['run', '-c', file]);
    await portico.says(/"listening"/);
    const pids = new Set<unknown>();
    await expect
      .poll(
        async () => {
          const answers = await Promise.all(Array.from({ length: 8 }, () => askUnix(path)));
          for (const pid of answers) pids.add(pid);
          return pids.size;
        },
        { timeout: 10_000, interval: 1 },
      )
      .toBe(2);
    portico.child.kill('SIGTERM');
    expect(await portico.exited).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('serve from one address, and the one admin shows the sum of them', { timeout: 40_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    expect(await group.admin('/ready')).toMatchObject({ status: 200, body: 'LIVE\n' });
    const workers = await group.workers();
    expect(workers).toMatchObject([
      { worker: 1, state: 'LIVE', restarts: 0 },
      { worker: 2, state: 'LIVE', restarts: 0 },
    ]);
    expect(await servers(group.port, 2)).toEqual(new Set(workers.map(({ pid }) => String(pid))));

    const load = new Load({ port: group.port, http1: 20, http2: 4, pause: 5 });
    await expect.poll(() => load.answered, { timeout: 10_000 }).toBeGreaterThan(500);
    const connected = await group.workers();
    expect(connected.reduce((sum, { connections }) => sum + connections, 0)).toBe(24);
    expect((await group.admin('/listeners')).body).toContain('::cx_active::24\n');
    expect(await group.metric(/^portico_listener_connections\{/)).toBe(24);
    await load.stop();
    await expect.poll(() => group.metric(/^portico_listener_connections\{/)).toBe(0);
    const exchanges = app.requests.length;
    expect(await group.metric(/^portico_http_requests_total\{/)).toBe(exchanges);
    expect(await group.metric(/^portico_cluster_upstream_request_duration_seconds_count\{/)).toBe(exchanges);
    expect(await group.metric(/^portico_cluster_upstream_request_duration_seconds_bucket\{.*le="\+Inf"/)).toBe(
      exchanges,
    );
    expect(await group.metric(/^portico_workers_live /)).toBe(2);
    expect(await group.metric(/^portico_workers_restarts_total /)).toBe(0);
    // Not twice what each of them says.
    expect(await group.metric(/^portico_config_info\{/)).toBe(1);
    expect(await group.metric(/^portico_config_last_reload_success /)).toBe(1);
    expect(await group.metric(/^portico_cluster_endpoints_healthy\{/)).toBe(1);
    const clusters = JSON.parse((await group.admin('/clusters?format=json')).body) as { clusters: unknown };
    expect(clusters.clusters).toMatchObject([
      { name: 'app', circuit_breakers: { max_requests: { used: 0, most: 1024 } }, endpoints: [{ health: 'healthy' }] },
    ]);
  });

  it(
    'one that is killed takes nothing along but its own connections, is replaced, and is counted',
    { timeout: 60_000 },
    async () => {
      const app = await startApp((_request, response) => setTimeout(() => response.end('ok'), 3));
      const group = await startGroup(configuration(app.port));
      const load = new Load({ port: group.port, http1: 20, http2: 4, pause: 5 });
      await expect.poll(() => load.answered, { timeout: 10_000 }).toBeGreaterThan(300);
      let fresh = 0;
      const freshFailures: string[] = [];
      let running = true;
      const client = (async () => {
        while (running) {
          await ask(group.port).then(
            () => fresh++,
            (error: Error) => freshFailures.push(error.message),
          );
        }
      })();
      const counted = await group.metric(/^portico_http_requests_total\{/);
      const before = await group.workers();
      const victim = before.toSorted((one, other) => other.connections - one.connections)[0]!;
      process.kill(victim.pid, 'SIGKILL');
      await group.process.says(/worker ended; another one takes its place/);
      expect(await group.admin('/ready')).toMatchObject({ status: 503 });
      const failed = load.outcome.failures.length;
      const answered = load.answered;
      const freshBefore = fresh;
      await expect.poll(async () => (await group.admin('/ready')).status, { timeout: 20_000, interval: 20 }).toBe(200);
      await expect.poll(() => load.answered - answered, { timeout: 10_000 }).toBeGreaterThan(300);
      await expect.poll(() => fresh - freshBefore, { timeout: 10_000 }).toBeGreaterThan(50);
      running = false;
      await client;
      const { failures, statuses, refusedConnections } = await load.stop();
      // Each connection of the one that died may have had a request under way. Its end may be seen a little after ours.
      expect(failures.length).toBeLessThanOrEqual(victim.connections);
      expect(failures.length - failed).toBeLessThanOrEqual(victim.connections);
      expect(refusedConnections).toBe(0);
      expect(Object.keys(statuses)).toEqual(['200']);
      expect(freshFailures.length).toBeLessThanOrEqual(1);

      const after = await group.workers();
      const replaced = after[victim.worker - 1]!;
      expect(replaced).toMatchObject({ state: 'LIVE', restarts: 1 });
      expect(replaced.pid).not.toBe(victim.pid);
      expect(await servers(group.port, 2)).toEqual(new Set(after.map(({ pid }) => String(pid))));
      expect(await group.metric(/^portico_workers_restarts_total /)).toBe(1);
      expect(await group.metric(/^portico_workers_live /)).toBe(2);
      // What it had counted is not forgotten.
      expect(await group.metric(/^portico_http_requests_total\{/)).toBeGreaterThan(counted! + 600);
    },
  );

  it('all get a new configuration, also those that start later; none gets a bad one', { timeout: 60_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    const versions = async () => {
      const seen = new Map<unknown, unknown>();
      for (let at = 0; at < 1000 && seen.size < 2; at++) {
        for (const { headers } of await Promise.all(Array.from({ length: 8 }, () => ask(group.port))))
          seen.set(headers['x-pid'], headers['x-version']);
      }
      return [...seen.values()];
    };
    expect(await versions()).toEqual(['v1', 'v1']);
    const load = new Load({ port: group.port, http1: 10, http2: 4, pause: 5 });
    for (let version = 2; version <= 5; version++) {
      writeFileSync(group.file, configuration(app.port, { version }));
      const report = await group.post('/reload');
      expect(JSON.parse(report.body)).toMatchObject({ result: 'applied', faults: [] });
      expect(await versions()).toEqual([`v${version}`, `v${version}`]);
    }
    const { failures, statuses } = await load.stop();
    expect({ failures, statuses: Object.keys(statuses) }).toEqual({ failures: [], statuses: ['200'] });

    writeFileSync(group.file, configuration(app.port, { version: 6, more: 'drian: {}' }));
    await group.process.says(/configuration not reloaded; the running one stays/);
    expect(await versions()).toEqual(['v5', 'v5']);
    expect(await group.metric(/^portico_config_reload_failures_total /)).toBe(1);
    // The file is still bad; whoever takes the place of another gets what is in force.
    process.kill((await group.workers())[0]!.pid, 'SIGKILL');
    await group.process.says(/worker replaced/);
    expect(await versions()).toEqual(['v5', 'v5']);

    writeFileSync(group.file, configuration(app.port, { version: 7, workers: 3 }));
    await group.process.says(/"configuration reloaded"/);
    await expect.poll(versions, { timeout: 10_000 }).toEqual(['v7', 'v7']);
    expect(await group.workers()).toHaveLength(2);
    expect(await group.metric(/^portico_config_last_reload_success /)).toBe(1);
  });

  it('one that comes while another one looks at a new configuration gets it, too', { timeout: 60_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    const [first, second] = await group.workers();
    // It will be asked first, and takes its time.
    process.kill(first!.pid, 'SIGSTOP');
    onTestFinished(() => {
      if (runs(first!.pid)) process.kill(first!.pid, 'SIGCONT');
    });
    process.kill(second!.pid, 'SIGKILL');
    await group.process.says(/another one takes its place/);
    writeFileSync(group.file, configuration(app.port, { version: 2 }));
    const reloaded = group.post('/reload');
    await group.process.says(/worker replaced/);
    process.kill(first!.pid, 'SIGCONT');
    expect((await reloaded).status).toBe(200);
    const served = new Set<unknown>();
    for (let at = 0; at < 500 && served.size < 2; at++) {
      const { headers } = await ask(group.port);
      expect(headers['x-version']).toBe('v2');
      served.add(headers['x-pid']);
    }
    expect(served.size).toBe(2);
  });

  it('a dry run is answered by one of them and changes none', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    writeFileSync(group.file, configuration(app.port, { version: 2, more: 'log: { level: warn }' }));
    const report = await group.post('/reload?dry_run=1');
    expect(JSON.parse(report.body)).toMatchObject({ result: 'good', changes: { filters: { kept: 1, made: 1 } } });
  });

  it('the level of the log is that of all of them', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port, { more: 'log: { level: info }' }));
    expect((await group.post('/reload')).status).toBe(200);
    await expect.poll(() => group.process.output().match(/"configuration reloaded"/g)?.length).toBe(3);
    expect((await group.post('/logging?level=error')).body).toBe('level: error (was info)\n');
    expect((await group.post('/reload')).status).toBe(200);
    process.kill((await group.workers())[0]!.pid, 'SIGKILL');
    await group.process.says(/worker ended/);
    await expect.poll(async () => (await group.admin('/ready')).status, { timeout: 20_000 }).toBe(200);
    // Also of the one that has come since.
    expect((await group.post('/reload')).status).toBe(200);
    expect(group.process.output().match(/"configuration reloaded"/g)).toHaveLength(3);
    expect((await group.post('/logging?level=info')).status).toBe(200);
    expect((await group.post('/reload')).status).toBe(200);
    await expect.poll(() => group.process.output().match(/"configuration reloaded"/g)?.length).toBe(6);
  });

  it('SIGTERM drains all of them: nothing that was accepted is lost', { timeout: 40_000 }, async () => {
    const app = await startApp((request, response) =>
      setTimeout(() => response.end('ok'), request.url === '/slow' ? 1500 : 2),
    );
    const group = await startGroup(configuration(app.port));
    const pids = (await group.workers()).map(({ pid }) => pid);
    const load = new Load({
      port: group.port,
      http1: 20,
      http2: 5,
      pause: 10,
      path: (count) => (count % 50 === 0 ? '/slow' : '/'),
    });
    await expect.poll(() => load.answered, { timeout: 10_000 }).toBeGreaterThan(200);
    group.process.child.kill('SIGTERM');
    await group.process.says(/draining/);
    expect((await group.admin('/ready')).status).toBe(503);
    const { failures, statuses } = await load.ended();
    expect({ failures, statuses: Object.keys(statuses) }).toEqual({ failures: [], statuses: ['200'] });
    expect(await group.process.exited).toBe(0);
    expect(pids.filter(runs)).toEqual([]);
  });

  it('POST /quit ends all of them with 0; POST /drain only fails readiness', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    expect((await group.post('/drain')).status).toBe(200);
    expect(await group.admin('/ready')).toMatchObject({ status: 503, body: 'DRAINING\n' });
    await expect.poll(async () => (await ask(group.port)).headers['connection']).toBe('close');
    expect((await group.workers()).map(({ state }) => state)).toEqual(['DRAINING', 'DRAINING']);
    const pids = (await group.workers()).map(({ pid }) => pid);
    expect((await group.post('/quit')).status).toBe(200);
    expect(await group.process.exited).toBe(0);
    expect(pids.filter(runs)).toEqual([]);
  });

  it('a second signal ends all of them at once', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port).replace('300ms', '30s'));
    const pids = (await group.workers()).map(({ pid }) => pid);
    group.process.child.kill('SIGTERM');
    await group.process.says(/draining/);
    group.process.child.kill('SIGTERM');
    expect(await group.process.exited).toBe(1);
    await expect.poll(() => pids.filter(runs), { timeout: 3000 }).toEqual([]);
  });

  it('end when their primary is killed', { timeout: 30_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    const pids = (await group.workers()).map(({ pid }) => pid);
    group.process.child.kill('SIGKILL');
    expect(await group.process.exited).toBe('SIGKILL');
    await expect.poll(() => pids.filter(runs), { timeout: 5000 }).toEqual([]);
  });

  it('that end again and again are replaced later and later', { timeout: 40_000 }, async () => {
    const app = await startApp();
    const group = await startGroup(configuration(app.port));
    const delays: unknown[] = [];
    for (let times = 1; times <= 3; times++) {
      process.kill((await group.workers())[0]!.pid, 'SIGKILL');
      await expect.poll(() => group.process.output().match(/"delay_ms"/g)?.length, { timeout: 5000 }).toBe(times);
      await expect.poll(async () => (await group.admin('/ready')).status, { timeout: 20_000 }).toBe(200);
    }
    for (const [, delay] of group.process.output().matchAll(/"delay_ms":(\d+)/g)) delays.push(Number(delay));
    expect(delays).toEqual([100, 200, 400]);
    expect((await group.workers()).map(({ restarts }) => restarts)).toEqual([3, 0]);
  });

  it(
    'one whose event loop hangs is replaced after ten seconds, and counted as one that crashed',
    { timeout: 90_000 },
    async () => {
      const app = await startApp();
      const hanging = configuration(app.port).replace(
        './who-serves.ts }',
        './who-serves.ts }\n  - { name: ./hangs.ts }',
      );
      const group = await startGroup(hanging);
      const before = (await group.workers()).map(({ pid }) => pid);
      const began = performance.now();
      ask(group.port, '/hang').catch(() => {});
      await group.process.says(/worker hangs and is replaced/);
      expect(performance.now() - began).toBeGreaterThan(8000);
      await group.process.says(/worker replaced/);
      const after = await group.workers();
      expect(after.map(({ state }) => state)).toEqual(['LIVE', 'LIVE']);
      expect(after.map(({ restarts }) => restarts).toSorted()).toEqual([0, 1]);
      const gone = before.filter((pid) => !after.some((worker) => worker.pid === pid));
      expect(gone).toHaveLength(1);
      expect(runs(gone[0]!)).toBe(false);
      expect(await group.metric(/^portico_workers_restarts_total/)).toBe(1);
      expect((await ask(group.port)).status).toBe(200);
    },
  );

  it('what is wrong with a configuration is said once, with its place; so is an address in use', async () => {
    const app = await startApp();
    const unknown = configFile(
      `${configuration(app.port)}virtual_hosts: [{ name: a, domains: ['*'], routes: [{ route: { cluster: ap } }] }]\n`,
    );
    const faulty = runPortico(['run', '-c', unknown]);
    expect(await faulty.exited).toBe(2);
    expect(faulty.output()).toBe(
      `${unknown}:10:73 virtual_hosts[0].routes[0].route.cluster: there is no cluster ap; did you mean app?\n`,
    );
    const taken = runPortico([
      'run',
      '-c',
      configFile(
        configuration(app.port).replace('http, address: 127.0.0.1:0', `http, address: '127.0.0.1:${app.port}'`),
      ),
    ]);
    expect(await taken.exited).toBe(1);
    expect(taken.output()).toBe(
      `portico: listener http: cannot listen on 127.0.0.1:${app.port}: address already in use\n`,
    );
  });
});

it('one worker is no other process, and loads nothing of what several need', { timeout: 30_000 }, async () => {
  const app = await startApp();
  const tell = `import { registerHooks } from 'node:module';
registerHooks({ resolve(specifier, context, next) {
  const found = next(specifier, context);
  if (/src\\/workers\\//.test(found.url)) process.stderr.write('loaded ' + found.url + '\\n');
  return found;
} });`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` };
  const loaded = async (workers: number) => {
    const portico = runPortico(['run', '-c', configFile(configuration(app.port, { workers }))], { env });
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    const { headers } = await ask(port);
    const own = headers['x-pid'] === String(portico.child.pid);
    return { own, modules: (portico.output().match(/loaded .*src\/workers\//g) ?? []).length };
  };
  expect(await loaded(1)).toEqual({ own: true, modules: 0 });
  // The same look does see them where they are.
  expect(await loaded(2)).toMatchObject({ own: false, modules: expect.any(Number) as number });
  expect((await loaded(2)).modules).toBeGreaterThan(1);
});
