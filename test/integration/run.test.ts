import { mkdtempSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico } from '../support/process.ts';

function configFile(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'portico-run-')), 'portico.yaml');
  writeFileSync(file, text);
  return file;
}

function status(url: string, agent?: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, agent === undefined ? {} : { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    }).on('error', reject);
  });
}

it('SIGTERM fails readiness first, goes on accepting, finishes what runs, and exits 0', async () => {
  let finish: () => void = () => {};
  const app = await startApp((request, response) => {
    if (request.url === '/slow') finish = () => response.end('late');
    else response.end('ok');
  });
  const portico = runPortico([
    'run',
    '-c',
    configFile(`admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
drain: { pre_drain_delay: 1s, drain_time: 10s }
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`),
  ]);
  const origin = `http://${await portico.says(/"http (127\.0\.0\.1:\d+)"/)}`;
  const admin = `http://${await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/)}`;
  expect(await status(`${admin}/ready`)).toBe(200);

  const slow = status(`${origin}/slow`);
  await expect.poll(() => app.requests.includes('GET /slow')).toBe(true);
  portico.child.kill('SIGTERM');
  await portico.says(/draining/);
  expect(await status(`${admin}/ready`)).toBe(503);
  expect(await status(`${admin}/live`)).toBe(200);
  expect(await status(`${origin}/`)).toBe(200);
  await expect.poll(() => status(`${origin}/`).catch(() => 0), { timeout: 5000 }).toBe(0);
  finish();
  expect(await slow).toBe(200);
  expect(await portico.exited).toBe(0);
});

it('a second signal ends it at once', async () => {
  const portico = runPortico([
    'run',
    '-c',
    configFile(
      'admin: { address: 127.0.0.1:0 }\nlisteners: [{ name: http, address: 127.0.0.1:0 }]\nhttp_filters: []\ndrain: { pre_drain_delay: 30s }\n',
    ),
  ]);
  await portico.says(/"listening"/);
  portico.child.kill('SIGTERM');
  await portico.says(/draining/);
  portico.child.kill('SIGTERM');
  expect(await portico.exited).toBe(1);
});

it('an address in use is one clear line and exit code 1', async () => {
  const app = await startApp();
  const portico = runPortico([
    'run',
    '-c',
    configFile(`admin: { address: 127.0.0.1:0 }\nlisteners: [{ name: http, address: '127.0.0.1:${app.port}' }]\n`),
  ]);
  expect(await portico.exited).toBe(1);
  expect(portico.output().trim()).toBe(
    `portico: listener http: cannot listen on 127.0.0.1:${app.port}: address already in use`,
  );
});

it('a route to an unknown cluster is told with its place, by run and by validate, and exit code 2', async () => {
  const file = configFile(`listeners: [{ name: http, address: 127.0.0.1:0 }]
clusters: [{ name: app, endpoints: ['127.0.0.1:1'] }]
virtual_hosts:
  - name: app
    domains: ['*']
    routes: [{ match: { prefix: / }, route: { cluster: ap } }]
`);
  for (const command of ['run', 'validate']) {
    const portico = runPortico([command, '-c', file]);
    expect(await portico.exited).toBe(2);
    expect(portico.output()).toBe(
      `${file}:6:56 virtual_hosts[0].routes[0].route.cluster: there is no cluster ap; did you mean app?\n`,
    );
  }
});

it('an empty file is a configuration: port 80 to 127.0.0.1:8080', async () => {
  const portico = runPortico(['validate', '-c', configFile('')]);
  expect(await portico.exited).toBe(0);
  expect(portico.output()).toContain('is good: 1 listener, 2 http filters, 1 virtual host, 1 cluster');
});

it('the demo starts, answers its three requests, and stops cleanly on Ctrl-C', async () => {
  const taken = await Promise.all(
    [8000, 8443, 9090].map((port) =>
      status(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (taken.includes(true)) return void console.warn('skipped: a port of the demo is taken on this machine');
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const demo = runPortico(['demo']);
  const token = await demo.says(/Bearer (\S+)'/);
  expect(await status('http://127.0.0.1:8000/hello', agent)).toBe(200);
  const statuses = [];
  for (let at = 0; at < 5; at++) statuses.push(await status('http://127.0.0.1:8000/limited', agent));
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  const answers = await Promise.all(
    [{}, { authorization: `Bearer ${token}` }].map((headers) =>
      fetch('http://127.0.0.1:8000/private', { headers }).then((response) => response.status),
    ),
  );
  expect(answers).toEqual([401, 200]);
  demo.child.kill('SIGINT');
  expect(await demo.exited).toBe(0);
});
