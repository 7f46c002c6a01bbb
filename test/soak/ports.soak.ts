/** RE47: thirty thousand requests, each client connection carrying ten, use a handful of connections to the app. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProbingClient, tally, type Probe } from '../support/probing-client.ts';
import { claim, startSoakFront } from './front.ts';

const requests = 30_000;
const clients = 32;
const each = 10;

let opened = 0;
const app = createServer((_request, answer) => answer.end('hello'));
app.on('connection', () => opened++);
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
const front = await startSoakFront(`127.0.0.1:${(app.address() as AddressInfo).port}`);
const results: Probe[] = [];
let left = requests;
await Promise.all(
  Array.from({ length: clients }, async () => {
    while (left > 0) {
      const client = new ProbingClient(front.port);
      for (let n = 0; n < each && left > 0; n++) {
        left--;
        results.push(await client.send());
      }
      client.close();
    }
  }),
);
const failures = await front.metrics(/^portico_cluster_upstream_connect_failures_total\{/);
process.stdout.write(`${JSON.stringify(tally(results))}, ${opened} connections to the app, ${failures.join(' ')}\n`);
claim('all were answered', results.length === requests && results.every(({ status }) => status === 200));
claim('more than 99 % of the requests used a connection again', opened < requests / 100);
claim(
  'no connection failed',
  failures.every((line) => line.endsWith(' 0')),
);
await front.stop();
app.closeAllConnections();
process.exit();
