import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { startPortico } from '../support/portico.ts';
import { runPortico } from '../support/process.ts';

const yaml = (port: number, routes: string) => `admin: { address: 127.0.0.1:0 }
listeners: [{ name: http, address: 127.0.0.1:0 }]
reload: { watch: false }
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${port}'] }, { name: other, endpoints: ['127.0.0.1:${port}'] }]
virtual_hosts:
  - name: shop
    domains: ['*']
    routes:
${routes}`;

const before = `      - { name: cart, match: { prefix: /cart }, route: { cluster: app, timeout: 15s } }
      - { match: { prefix: /, headers: [{ name: x-beta, present: true }] }, route: { cluster: other } }
      - { match: { prefix: / }, route: { cluster: app } }
`;
const after = `      - { name: health, match: { path: /health }, direct_response: { status: 204 } }
      - { name: cart, match: { prefix: /cart }, route: { cluster: app, timeout: 5s } }
      - { match: { prefix: /, headers: [{ name: x-beta, present: true }] }, route: { cluster: app } }
      - { match: { prefix: /, headers: [{ name: x-gamma, exact: one }] }, route: { cluster: other } }
      - { match: { prefix: / }, route: { cluster: app } }
`;

it('portico reload --dry-run tells which of the last requests would go another way, sends nothing and changes nothing', async () => {
  const app = await startApp();
  const portico = await startPortico(yaml(app.port, before));
  const ask = async (path: string, headers = {}) => {
    await (await fetch(`http://127.0.0.1:${portico.port()}${path}`, { headers })).text();
  };
  for (let at = 0; at < 3; at++) await ask(`/cart/${at}?token=hush`);
  await ask('/plain');
  await ask('/health');
  await ask('/new', { 'x-beta': '1', authorization: 'Bearer hush' });
  const asked = app.requests.length;
  const file = join(portico.folder, 'portico.yaml');
  writeFileSync(file, yaml(app.port, after));

  const admin = ['--admin', `127.0.0.1:${portico.adminPort}`];
  const dry = runPortico(['reload', '--dry-run', '-c', file, ...admin]);
  expect(await dry.exited).toBe(0);
  const host = `127.0.0.1:${portico.port()}`;
  expect(dry.output()).toBe(`${file}: good; nothing was changed
listeners: as they are
clusters: 2 kept, 0 new
filters: 0 kept, 0 new
routes: of the last 6 requests some go another way:
  3 such as GET ${host}/cart/0, GET ${host}/cart/1, GET ${host}/cart/2
    before: virtual host shop, route cart: cluster app
    after:  virtual host shop, route cart: cluster app
    changed: route.timeout
  1 such as GET ${host}/health
    before: virtual host shop, route shop/2: cluster app
    after:  virtual host shop, route health: answer 204
    changed: route, direct_response
  1 such as GET ${host}/new
    before: virtual host shop, route shop/1: cluster other
    after:  virtual host shop, route shop/2: cluster app
    changed: route.cluster
  samples do not know what new routes look at: header x-gamma
`);
  expect(dry.output()).not.toContain('hush');
  expect(app.requests.length).toBe(asked);
  await ask('/health');
  expect(app.requests.at(-1)).toBe('GET /health');
  expect(await portico.metric('portico_config_reloads_total')).toBe(0);

  const real = runPortico(['reload', ...admin]);
  expect(await real.exited).toBe(0);
  expect(real.output()).toContain(`${file}: applied`);
  await ask('/health');
  expect(app.requests.filter((one) => one === 'GET /health').length).toBe(2);
  const again = runPortico(['reload', '--dry-run', ...admin]);
  expect(await again.exited).toBe(0);
  expect(again.output()).toContain('requests go as before');
});

it('a faulty file is told with its places and exit code 2, and counts as no failed reload', async () => {
  const app = await startApp();
  const portico = await startPortico(yaml(app.port, before));
  const file = join(portico.folder, 'portico.yaml');
  writeFileSync(file, yaml(app.port, '      - { match: { prefix: / }, route: { cluster: ap } }\n'));
  const dry = runPortico(['reload', '--dry-run', '--admin', `127.0.0.1:${portico.adminPort}`]);
  expect(await dry.exited).toBe(2);
  expect(dry.output()).toContain(`${file}: refused; the running configuration stays`);
  expect(dry.output()).toContain('there is no cluster ap; did you mean app?');
  expect(await portico.metric('portico_config_reload_failures_total')).toBe(0);
});

it('without a running portico it says so', async () => {
  const nobody = runPortico(['reload', '--admin', '127.0.0.1:1']);
  expect(await nobody.exited).toBe(1);
  expect(nobody.output()).toBe('portico reload: connect ECONNREFUSED 127.0.0.1:1\n');
});
