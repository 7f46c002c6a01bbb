import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runPortico } from '../support/process.ts';

const configuration = `
admin: { address: 127.0.0.1:0 }
drain: { pre_drain_delay: 0, drain_time: 100ms }
listeners: [{ name: http, address: 127.0.0.1:0 }]
clusters: [{ name: app, endpoints: [127.0.0.1:1] }]
`;

/** What a running proxy has loaded: of Node.js by name, of packages by path. The second start finds the first one's cache. */
async function loaded(upgrade = false): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'portico.yaml');
  writeFileSync(file, configuration);
  const list = join(folder, 'modules.json');
  // Not a hook of the loader: one would itself load what strips types.
  const tell = `process.on('exit', () => {
  const { writeFileSync } = process.getBuiltinModule('node:fs');
  const packages = Object.keys(process.getBuiltinModule('node:module')._cache);
  writeFileSync(${JSON.stringify(list)}, JSON.stringify([...process.moduleLoadList, ...packages]));
});`;
  const env = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}`,
    NODE_COMPILE_CACHE: join(tmpdir(), `portico-start-cache-${process.pid}`),
  };
  onTestFinished(() => rmSync(env.NODE_COMPILE_CACHE, { recursive: true, force: true }));
  for (let start = 1; start <= 2; start++) {
    const portico = runPortico(['run', '-c', file], { env });
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    if (upgrade) await askToUpgrade(port);
    portico.child.kill('SIGTERM');
    await portico.exited;
    expect(existsSync(list)).toBe(true);
  }
  return JSON.parse(readFileSync(list, 'utf8')) as string[];
}

function askToUpgrade(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1').on('error', reject);
    socket.write(
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n',
    );
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
  });
}

const heavy = [
  ['what strips types', 'NativeModule internal/deps/amaro/dist/index'],
  ['the undici of Node.js', 'NativeModule internal/deps/undici/undici'],
  ['node:http2', 'NativeModule http2'],
  ['node:https', 'NativeModule https'],
  ['node:zlib', 'NativeModule zlib'],
  ['http-proxy-3', 'http-proxy-3/dist/lib/index.js'],
  ['OpenTelemetry', '@opentelemetry/api'],
] as const;

it('a proxy loads nothing heavy before somebody needs it', { timeout: 30_000 }, async () => {
  const modules = await loaded();
  expect(modules).toContain('NativeModule net');
  expect(modules.some((one) => one.includes('/prom-client/lib/registry.js'))).toBe(true);
  expect(heavy.filter(([, name]) => modules.some((one) => one.endsWith(name))).map(([what]) => what)).toEqual([]);
});

it('what upgrades need is loaded by the first one', { timeout: 30_000 }, async () => {
  const modules = await loaded(true);
  expect(modules.some((one) => one.endsWith('http-proxy-3/dist/lib/index.js'))).toBe(true);
});
