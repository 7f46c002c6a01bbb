/** RE12: `kill -9` and restart of a real app under 500 requests a second, twenty times: no failed GET. */
import { appProcess } from '../support/app-process.ts';
import { load, tally } from '../support/probing-client.ts';
import { claim, startSoakFront } from './front.ts';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const app = await appProcess();
await app.start();
const front = await startSoakFront(`127.0.0.1:${app.port}`);
const running = load(front.port, { rate: 500, duration: 31_000, request: () => ({}) });
for (let n = 0; n < 20; n++) {
  await pause(1200);
  await app.kill();
  await app.start();
}
const results = await running;
process.stdout.write(`${JSON.stringify(tally(results))}\n`);
const times = results.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(1);
process.stdout.write(`milliseconds: median ${at(0.5)}, 99 % ${at(0.99)}, longest ${times.at(-1)!.toFixed(0)}\n`);
for (const line of await front.metrics(/held_requests_total|connect_failures/)) process.stdout.write(`${line}\n`);
claim(
  `no GET of ${results.length} failed over 20 kills`,
  results.every(({ outcome, status }) => outcome === 'whole' && status === 200),
);
await front.stop();
await app.kill();
process.exit();
