/** RE13, RE14: an app that closes unused connections after 1 s, and gaps of 0.8 to 1.2 s at 200 requests a second, for a minute. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProbingClient, tally, type Probe } from '../support/probing-client.ts';
import { claim, startSoakFront } from './front.ts';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const seen = new Map<string, number>();
const app = createServer((request, answer) => {
  const id = String(request.headers['x-id']);
  seen.set(id, (seen.get(id) ?? 0) + 1);
  // Without the hint: how long the app waits must be learned.
  answer.setHeader('connection', 'keep-alive');
  request.resume().on('end', () => answer.end('hello'));
});
app.keepAliveTimeout = 1000;
(app as unknown as { keepAliveTimeoutBuffer: number }).keepAliveTimeoutBuffer = 0;
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
const front = await startSoakFront(`127.0.0.1:${(app.address() as AddressInfo).port}`);

const until = performance.now() + 60_000;
const gets: Probe[] = [];
const posts: Probe[] = [];
await Promise.all(
  Array.from({ length: 200 }, async (_, number) => {
    const client = new ProbingClient(front.port);
    await pause(Math.random() * 1000);
    for (let n = 0; performance.now() < until; n++) {
      const method = n % 2 === 0 ? 'GET' : 'POST';
      const result = await client.send({
        method,
        headers: [`x-id: ${number}-${n}`],
        body: method === 'POST' ? 'x' : '',
      });
      (method === 'GET' ? gets : posts).push(result);
      await pause(800 + Math.random() * 400);
    }
    client.close();
  }),
);
process.stdout.write(`GET ${JSON.stringify(tally(gets))} POST ${JSON.stringify(tally(posts))}\n`);
for (const line of await front.metrics(
  /idle_close_seconds\{|idle_timeout_seconds\{|stale_connections_total\{|connections_total\{/,
))
  process.stdout.write(`${line}\n`);
claim(
  'no 5xx for GET',
  gets.every(({ outcome, status }) => outcome === 'whole' && status === 200),
);
const repeated = [...seen].filter(([id, times]) => times > 1 && Number(id.split('-')[1]) % 2 === 1);
claim('no POST reached the app twice', repeated.length === 0);
await front.stop();
app.closeAllConnections();
process.exit();
