import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { get, type Agent } from 'node:http';
import { createServer, connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startApp } from '../support/app.ts';
import { Load } from '../support/load.ts';
import { startPortico, type Portico } from '../support/portico.ts';
import { runPortico } from '../support/process.ts';

/** `PORTICO_SOAK=1` runs the long form. */
const reloads = process.env['PORTICO_SOAK'] === undefined ? 15 : 60;

interface Answer {
  readonly status: number;
  readonly version: string | undefined;
  readonly body: string;
}

function ask(port: number, path = '/', agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get({ port, path, agent: agent ?? false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, version: response.headers['x-version'] as string | undefined, body }),
      );
    }).on('error', reject);
  });
}

function configuration(appPort: number, version: number | string, more = ''): string {
  return `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
reload: { poll_interval: 200ms }
http_filters: [{ name: headers, config: { response: { set: { x-version: 'v${version}' } } } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${appPort}'] }]
${more}`;
}

const fileOf = (portico: Portico) => join(portico.folder, 'portico.yaml');

async function served(portico: Portico): Promise<string | undefined> {
  return (await ask(portico.port())).version;
}

async function adminJson(portico: Portico, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${portico.adminPort}${path}`);
  return (await response.json()) as Record<string, unknown>;
}

describe('RE40 reload under load', () => {
  it(
    `${reloads} reloads under HTTP/1 and HTTP/2 load lose no request, and memory stays flat`,
    { timeout: 120_000 },
    async () => {
      const app = await startApp((_request, response) => setTimeout(() => response.end('ok'), 2));
      const portico = await startPortico(configuration(app.port, 0));
      const versions = new Set<unknown>();
      const load = new Load({
        port: portico.port(),
        http1: 8,
        http2: 4,
        pause: 5,
        onAnswer: (headers) => versions.add(headers['x-version']),
      });
      await expect.poll(() => load.answered, { timeout: 10_000 }).toBeGreaterThan(20);
      let heap = 0;
      for (let version = 1; version <= reloads; version++) {
        const before = load.answered;
        writeFileSync(
          fileOf(portico),
          configuration(app.port, version, version % 2 ? 'drain: { drain_time: 1s }' : ''),
        );
        expect(await portico.server.reload('test')).toMatchObject({ result: 'applied', faults: [] });
        await expect.poll(() => load.answered - before, { timeout: 10_000 }).toBeGreaterThan(100);
        if (reloads > 15) await new Promise((resolve) => setTimeout(resolve, 1000));
        if (version === 5) heap = usedHeap();
      }
      const { statuses, failures } = await load.stop();
      expect(failures).toEqual([]);
      expect(Object.keys(statuses)).toEqual(['200']);
      expect([...versions].sort()).toEqual(Array.from({ length: reloads + 1 }, (_, version) => `v${version}`).sort());
      expect(usedHeap() - heap).toBeLessThan(4 * 1024 * 1024);
      expect(await portico.metric('portico_config_reloads_total')).toBe(reloads);
      expect(await portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
    },
  );

  it('an exchange that has begun goes on by the routes and filters it began with, which are closed behind it', async () => {
    let finish: () => void = () => {};
    const app = await startApp((request, response) => {
      if (request.url === '/slow') finish = () => response.end('slow');
      else response.end('ok');
    });
    const filter = (version: number) => `import { defineFilter, v } from 'portico';
export default defineFilter({ doc: 'Counts.', config: v.strictObject({ version: v.number() }), create: ({ version }) => ({
  onResponse(response) { response.headers.set('x-version', 'v' + version + (globalThis.closed ?? []).join('')); },
  close() { (globalThis.closed ??= []).push(version); },
}) }); // ${version}`;
    const yaml = (version: number) => `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: [{ name: ./count.ts, config: { version: ${version} } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'], connect_timeout: ${version}s }]`;
    const portico = await startPortico(yaml(1), { files: { 'count.ts': filter(1) } });
    const slow = ask(portico.port(), '/slow');
    await expect.poll(() => app.requests).toContain('GET /slow');
    writeFileSync(fileOf(portico), yaml(2));
    expect(await portico.server.reload('test')).toMatchObject({
      changes: { clusters: { kept: 0, made: 1 }, filters: { kept: 0, made: 1 } },
    });
    expect(await served(portico)).toBe('v2');
    finish();
    expect(await slow).toMatchObject({ status: 200, version: 'v1', body: 'slow' });
    await expect.poll(() => served(portico)).toBe('v21');
  });

  it('a WebSocket goes on when its cluster and its listener are replaced', async () => {
    const app = await startApp();
    const server = new WebSocketServer({ server: app.server });
    onTestFinished(() => server.close());
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(`${(data as Buffer).toString()}!`)));
    const portico = await startPortico(configuration(app.port, 1));
    const client = new WebSocket(`ws://127.0.0.1:${portico.port()}/`);
    await new Promise((resolve) => client.once('open', resolve));
    const changed = configuration(app.port, 2)
      .replace('clusters: [{ name: app,', 'clusters: [{ connect_timeout: 1s, name: app,')
      .replace('{ name: http,', '{ name: http, idle_timeout: 5s,');
    writeFileSync(fileOf(portico), changed);
    expect(await portico.server.reload('test')).toMatchObject({
      result: 'applied',
      changes: { listeners_replaced: ['http'], clusters: { made: 1 } },
    });
    const heard = new Promise((resolve) => client.once('message', (data: Buffer) => resolve(data.toString())));
    client.send('still here');
    expect(await heard).toBe('still here!');
    client.terminate();
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('RE41 what calls for a reload', () => {
  it('a file written in place, replaced by a rename, or cut and written in two steps', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 1));
    writeFileSync(fileOf(portico), configuration(app.port, 2));
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('v2');

    const other = join(portico.folder, 'next');
    writeFileSync(other, configuration(app.port, 3));
    renameSync(other, fileOf(portico));
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('v3');

    // The first half would be a configuration by itself, with the defaults for the rest.
    const text = configuration(app.port, 4);
    const half = text.slice(0, text.indexOf('http_filters'));
    truncateSync(fileOf(portico));
    writeFileSync(fileOf(portico), half);
    await new Promise((resolve) => setTimeout(resolve, 120));
    writeFileSync(fileOf(portico), text.slice(half.length), { flag: 'a' });
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('v4');
    expect(await portico.metric('portico_config_reloads_total')).toBe(3);
    expect(await portico.metric('portico_config_reload_failures_total')).toBe(0);
  });

  it('the swap of the ..data link by which Kubernetes changes a ConfigMap, also for a filter and a file: value', async () => {
    const app = await startApp();
    const filter = (version: number) => `import { defineFilter, v } from 'portico';
export default defineFilter({ doc: 'Says.', config: v.strictObject({ text: v.string() }), create: ({ text }) => ({
  onResponse(response) { response.headers.set('x-version', text + ${version}); } }) });`;
    const mount = (folder: string, at: string, version: number) => {
      mkdirSync(join(folder, at));
      writeFileSync(join(folder, at, 'portico.yaml'), yaml);
      writeFileSync(join(folder, at, 'say.ts'), filter(version));
      writeFileSync(join(folder, at, 'text.txt'), `text ${at} `);
    };
    const yaml = `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
reload: { poll_interval: 100ms }
http_filters: [{ name: ./say.ts, config: { text: 'file:./text.txt' } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`;
    const portico = await startPortico(yaml, { files: { 'say.ts': filter(1), 'text.txt': 'first' } });
    const { folder } = portico;
    mount(folder, '..one', 1);
    symlinkSync('..one', join(folder, '..data'));
    for (const name of ['portico.yaml', 'say.ts', 'text.txt']) {
      unlinkSync(join(folder, name));
      symlinkSync(join('..data', name), join(folder, name));
    }
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('text ..one1');

    mount(folder, '..two', 2);
    symlinkSync('..two', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, '..one'), { recursive: true });
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('text ..two2');
  });

  it('SIGHUP and POST /reload, where files are not watched', async () => {
    const app = await startApp();
    const unwatched = (version: number) =>
      configuration(app.port, version).replace('poll_interval: 200ms', 'watch: false, poll_interval: 50ms');
    const portico = await startPortico(unwatched(1));
    writeFileSync(fileOf(portico), unwatched(2));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await served(portico)).toBe('v1');
    const url = `http://127.0.0.1:${portico.adminPort}/reload`;
    expect((await fetch(url)).status).toBe(405);
    expect((await fetch(url, { method: 'POST' })).status).toBe(200);
    expect(await served(portico)).toBe('v2');

    const child = runPortico(['run', '-c', fileOf(portico)]);
    const origin = await child.says(/"http 127\.0\.0\.1:(\d+)"/);
    writeFileSync(fileOf(portico), unwatched(3));
    child.child.kill('SIGHUP');
    await child.says(/configuration reloaded/);
    expect((await ask(Number(origin))).version).toBe('v3');
  });
});

describe('RE41 a bad file leaves the running configuration in force, and says why', () => {
  const bomb = `a: &a [${Array.from({ length: 9 }, () => '1').join(', ')}]
${['b', 'c', 'd', 'e', 'f'].map((name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcde'[at]!}`).join(', ')}]`).join('\n')}
`;
  const cases: Record<string, { write: (file: string, good: string) => void; fault: RegExp }> = {
    'YAML syntax': { write: (file, good) => writeFileSync(file, `${good}x: [`), fault: /portico\.yaml:\d+:\d+ / },
    'unknown key': {
      write: (file, good) => writeFileSync(file, `${good}drian: {}\n`),
      fault: /:6:1 drian: unknown option; did you mean drain/,
    },
    'duplicate key': { write: (file, good) => writeFileSync(file, `${good}clusters: []\n`), fault: /portico\.yaml:6:/ },
    'wrong type': { write: (file, good) => writeFileSync(file, `${good}drain: 5\n`), fault: /portico\.yaml:6:8 drain/ },
    'unknown cluster': {
      write: (file, good) => writeFileSync(file, good.replace('name: app,', 'name: apq,')),
      fault: /there is no cluster app; did you mean apq/,
    },
    'missing certificate': {
      write: (file, good) =>
        writeFileSync(
          file,
          good.replace(
            '{ name: http,',
            '{ name: tls, address: 127.0.0.1:0, tls: { certificates: [{ certificate_chain: no.crt, private_key: no.key }] } }, { name: http,',
          ),
        ),
      fault:
        /portico\.yaml:2:\d+ listeners\[0\]\.tls\.certificates\[0\]\.certificate_chain: cannot read no\.crt: no such file/,
    },
    'pattern that takes for ever': {
      write: (file, good) =>
        writeFileSync(
          file,
          `${good}virtual_hosts: [{ name: a, domains: ['*'], routes: [{ match: { safe_regex: '^/(a+)+$' }, route: { cluster: app } }] }]\n`,
        ),
      fault: /portico\.yaml:6:\d+ virtual_hosts\[0\]\.routes\[0\]\.match\.safe_regex/,
    },
    'alias bomb': { write: (file) => writeFileSync(file, bomb), fault: /more than 1000 aliases/ },
    '50 MB': {
      write: (file) => writeFileSync(file, Buffer.alloc(50 * 1024 * 1024, '#')),
      fault: /is larger than 1 MiB/,
    },
    deleted: { write: (file) => unlinkSync(file), fault: /does not exist/ },
    empty: { write: (file) => writeFileSync(file, ''), fault: /is empty/ },
    'a folder': {
      write: (file) => {
        unlinkSync(file);
        mkdirSync(file);
      },
      fault: /is a folder, not a file/,
    },
    tabs: {
      write: (file, good) => writeFileSync(file, `${good}drain:\n\tdrain_time: 1s\n`),
      fault: /portico\.yaml:7:/,
    },
    'not UTF-8': {
      write: (file) => writeFileSync(file, Buffer.from([0x61, 0x3a, 0x20, 0xff])),
      fault: /is not UTF-8 text/,
    },
    'filter that throws': {
      write: (file, good) => {
        writeFileSync(join(file, '..', 'bad.ts'), "throw new Error('no such luck');\n");
        writeFileSync(file, good.replace('http_filters: [', 'http_filters: [{ name: ./bad.ts }, '));
      },
      fault: /\.\/bad\.ts cannot be loaded: no such luck/,
    },
  };

  it.each(Object.entries(cases))('%s', async (_name, { write, fault }) => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 1));
    const good = configuration(app.port, 2);
    const { config_hash: hash } = await adminJson(portico, '/server_info');
    write(fileOf(portico), good);
    const report = await portico.server.reload('test');
    expect(report.result).toBe('refused');
    expect(report.faults.join('\n')).toMatch(fault);
    expect(await served(portico)).toBe('v1');
    expect(await portico.metric('portico_config_reload_failures_total')).toBeGreaterThan(0);
    expect(await portico.metric('portico_config_last_reload_success')).toBe(0);
    expect(await portico.metric(`portico_config_info{hash="${String(hash)}"}`)).toBe(1);
    expect(await adminJson(portico, '/server_info')).toMatchObject({
      config_hash: hash,
      last_reload: { result: 'refused', reason: 'test', faults: report.faults },
    });
    expect(JSON.stringify(await adminJson(portico, '/config_dump'))).toContain('"x-version":"v1"');

    rmSync(fileOf(portico), { recursive: true, force: true });
    writeFileSync(fileOf(portico), good.replaceAll('\n', '\r\n').replace(/^/, '\ufeff'));
    await expect.poll(() => served(portico), { timeout: 5000 }).toBe('v2');
    expect(await portico.metric('portico_config_last_reload_success')).toBe(1);
  });

  it.skipIf(process.getuid?.() === 0)('permission denied', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 1));
    chmodSync(fileOf(portico), 0);
    const report = await portico.server.reload('test');
    expect(report.faults.join()).toMatch(/permission denied/);
    expect(await served(portico)).toBe('v1');
  });

  it('an address that is taken, which only opening it finds; nothing else of the configuration is applied', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 1));
    const text = configuration(app.port, 2).replace(
      '{ name: http,',
      `{ name: free, address: 127.0.0.1:0 }, { name: taken, address: '127.0.0.1:${app.port}' }, { name: http,`,
    );
    writeFileSync(fileOf(portico), text);
    const { faults } = await portico.server.reload('test');
    expect(faults).toEqual([`listener taken: cannot listen on 127.0.0.1:${app.port}: address already in use`]);
    expect(await served(portico)).toBe('v1');
    expect(portico.server.listeners.map(({ name }) => name)).toEqual(['http']);
  });

  it('the fault is in the log, with file, line and column', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 1));
    const child = runPortico(['run', '-c', fileOf(portico)]);
    await child.says(/"listening"/);
    writeFileSync(fileOf(portico), `${configuration(app.port, 2)}drian: {}\n`);
    await child.says(/configuration not reloaded; the running one stays/);
    expect(child.output()).toContain('portico.yaml:6:1 drian: unknown option; did you mean drain?');
  });
});

describe('only what changed is made anew', () => {
  const limited = (port: number, tokens: number, more = '') => `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters:
  - { name: rate-limit, config: { key: client_address, max_tokens: ${tokens}, tokens_per_fill: 1, fill_interval: 1h } }
clusters: [{ name: app, endpoints: ['127.0.0.1:${port}'] }]
virtual_hosts:
  - name: app
    domains: ['*']
    routes:
      - { match: { prefix: /own }, route: { cluster: app }, per_filter_config: { rate-limit: { max_tokens: 2 } } }
      - { route: { cluster: app } }
${more}`;

  it('counters of limiters and connections to the app outlive an unrelated edit', async () => {
    const app = await startApp();
    let connections = 0;
    app.server.on('connection', () => connections++);
    const portico = await startPortico(limited(app.port, 3));
    const statuses = async (path: string, count: number) => {
      const all = [];
      for (let at = 0; at < count; at++) all.push((await ask(portico.port(), path)).status);
      return all;
    };
    expect(await statuses('/', 2)).toEqual([200, 200]);
    expect(await statuses('/own', 1)).toEqual([200]);
    writeFileSync(fileOf(portico), limited(app.port, 3, 'drain: { drain_time: 1s }'));
    expect(await portico.server.reload('test')).toMatchObject({
      changes: {
        listeners_opened: [],
        listeners_replaced: [],
        listeners_closed: [],
        clusters: { kept: 1, made: 0 },
        filters: { kept: 2, made: 0 },
      },
    });
    expect(await statuses('/', 2)).toEqual([200, 429]);
    expect(await statuses('/own', 2)).toEqual([200, 429]);
    expect(connections).toBe(1);

    writeFileSync(fileOf(portico), limited(app.port, 4));
    expect(await portico.server.reload('test')).toMatchObject({ changes: { filters: { kept: 0, made: 2 } } });
    expect(await statuses('/', 5)).toEqual([200, 200, 200, 200, 429]);
  });

  it('an edit of routes keeps the filters; a filter that calls a cluster finds the new one', async () => {
    const [one, two] = [
      await startApp((_request, response) => response.end('one')),
      await startApp((_request, response) => response.end('two')),
    ];
    const filter = `import { defineFilter } from 'portico';
export default defineFilter({ doc: 'Asks.', create(_config, { fetch }) { let asked = 0; return {
  async onResponse(response) {
    const { body } = await fetch('http://oracle/', { cluster: 'oracle' });
    response.headers.set('x-version', Buffer.from(body).toString() + ++asked);
  } }; } });`;
    const yaml = (port: number) => `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: [{ name: ./ask.ts }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${one.port}'] }, { name: oracle, endpoints: ['127.0.0.1:${port}'] }]`;
    const portico = await startPortico(yaml(one.port), { files: { 'ask.ts': filter } });
    expect(await served(portico)).toBe('one1');
    writeFileSync(fileOf(portico), yaml(two.port));
    expect(await portico.server.reload('test')).toMatchObject({
      changes: { clusters: { kept: 1, made: 1 }, filters: { kept: 1, made: 0 } },
    });
    expect(await served(portico)).toBe('two2');
  });
});

describe('listeners', () => {
  it('a changed one gets the socket of the old one: of clients that connect all the time none is refused', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 0));
    const port = portico.port();
    let running = true;
    const failures: string[] = [];
    let answered = 0;
    const clients = Array.from({ length: 4 }, async () => {
      while (running) {
        try {
          expect((await ask(port)).status).toBe(200);
          answered++;
        } catch (error) {
          failures.push(String(error));
        }
      }
    });
    for (let version = 1; version <= 10; version++) {
      const text = configuration(app.port, version).replace(
        '{ name: http,',
        `{ name: http, max_headers_count: ${50 + version},`,
      );
      writeFileSync(fileOf(portico), text);
      const before = answered;
      expect(await portico.server.reload('test')).toMatchObject({ changes: { listeners_replaced: ['http'] } });
      await expect.poll(() => answered - before, { timeout: 10_000 }).toBeGreaterThan(20);
    }
    running = false;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(portico.port()).toBe(port);
    await expect.poll(() => portico.metric('portico_listener_connections{listener="http"}'), { timeout: 5000 }).toBe(0);
  });

  it('keep-alive clients of a changed one are told to go, and lose nothing', async () => {
    const app = await startApp();
    const portico = await startPortico(configuration(app.port, 0));
    const load = new Load({ port: portico.port(), http1: 10, http2: 5, pause: 20 });
    await expect.poll(() => load.answered, { timeout: 10_000 }).toBeGreaterThan(100);
    for (let version = 1; version <= 3; version++) {
      const text = configuration(app.port, version).replace(
        '{ name: http,',
        `{ name: http, max_headers_count: ${50 + version},`,
      );
      writeFileSync(fileOf(portico), text);
      expect(await portico.server.reload('test')).toMatchObject({ changes: { listeners_replaced: ['http'] } });
      const before = load.answered;
      await expect.poll(() => load.answered - before, { timeout: 10_000 }).toBeGreaterThan(200);
    }
    const { failures, statuses, refusedConnections, toldToGo } = await load.stop();
    expect({ failures, refusedConnections }).toEqual({ failures: [], refusedConnections: 0 });
    expect(Object.keys(statuses)).toEqual(['200']);
    expect(toldToGo).toBeGreaterThan(15);
  });

  it('new ones are opened, and those that are gone finish what they have', async () => {
    let finish: () => void = () => {};
    const app = await startApp((request, response) => {
      if (request.url === '/slow') finish = () => response.end('slow');
      else response.end('ok');
    });
    const portico = await startPortico(configuration(app.port, 1));
    const port = portico.port();
    const slow = ask(port, '/slow');
    await expect.poll(() => app.requests).toContain('GET /slow');
    const free = await freePort();
    writeFileSync(
      fileOf(portico),
      configuration(app.port, 2).replace(
        '{ name: http, address: 127.0.0.1:0 }',
        `{ name: other, address: '127.0.0.1:${free}' }`,
      ),
    );
    expect(await portico.server.reload('test')).toMatchObject({
      changes: { listeners_opened: ['other'], listeners_closed: ['http'] },
    });
    expect(await ask(free)).toMatchObject({ status: 200, version: 'v2' });
    // Whoever comes before the socket is closed is answered.
    await expect
      .poll(() =>
        ask(port).then(
          () => 'answered',
          (error: Error) => error.message,
        ),
      )
      .toContain('ECONNREFUSED');
    finish();
    expect(await slow).toMatchObject({ status: 200, body: 'slow' });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  expect(await new Promise((resolve) => connectSocket(port, '127.0.0.1').on('error', () => resolve('refused')))).toBe(
    'refused',
  );
  return port;
}
