import http2 from 'node:http2';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/app-process.ts';
import { startPortico } from '../support/portico.ts';
import { probe } from '../support/probing-client.ts';
import { backToRest } from '../support/resilience.ts';

it('RE52 a Portico whose app is itself answers 508 after a few rounds, over HTTP/1.1 and HTTP/2, and is at rest again', async () => {
  const port = await freePort();
  const portico = await startPortico(`
listeners: [{ name: http, address: '127.0.0.1:${port}' }]
virtual_hosts: [{ name: all, domains: ['*'], routes: [{ route: { cluster: app } }] }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${port}'] }]
`);
  expect((await probe(port)).status).toBe(508);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  stream.resume();
  const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
  expect(status).toBe(508);
  await backToRest(portico);
  // Rounds, not a storm: two requests came in from outside.
  expect(await portico.metric('portico_cluster_upstream_requests_total{cluster="app",code_class="5xx"}')).toBeLessThan(
    20,
  );
});
