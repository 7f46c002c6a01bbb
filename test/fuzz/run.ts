// Mutated messages and frames at the parsers, and some of them at a running Portico:
//   npm run fuzz -- [--count 1000000] [--sockets 5000] [--seed N]
import { parseArgs } from 'node:util';
import { Random } from '../support/random.ts';
import { fuzzFrames, fuzzHttp2Sockets } from './http2.ts';
import { fuzzParsers } from './parsers.ts';
import { fuzzSockets } from './sockets.ts';

const { values } = parseArgs({
  options: { count: { type: 'string' }, sockets: { type: 'string' }, seed: { type: 'string' } },
});
const count = Number(values.count ?? 1_000_000);
const sockets = Number(values.sockets ?? Math.max(300, count / 200));
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
if (![count, sockets, seed].every((number) => Number.isSafeInteger(number) && number >= 0))
  throw new Error('--count, --sockets and --seed are whole numbers');

console.log(`seed ${seed}`);
const started = performance.now();
const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
try {
  const parsed = fuzzParsers(new Random(seed), count, ({ messages }) =>
    console.log(`${elapsed()}  ${messages} messages parsed`),
  );
  console.log(
    `${elapsed()}  parsers: ${parsed.messages} messages, ${parsed.accepted} heads and ${parsed.bodies} chunked bodies were good`,
  );
  const sent = await fuzzSockets(new Random(seed), sockets, ({ messages }) =>
    console.log(`${elapsed()}  ${messages} messages sent`),
  );
  console.log(
    `${elapsed()}  sockets: ${sent.messages} messages, ${sent.whole} requests reached the app whole, ${sent.canaries} canaries answered`,
  );
  const frames = fuzzFrames(new Random(seed), Math.ceil(count / 10));
  console.log(
    `${elapsed()}  HTTP/2: ${frames.sequences} sequences, ${frames.frames} frames and ${frames.blocks} blocks were good`,
  );
  const http2 = await fuzzHttp2Sockets(new Random(seed), sockets);
  console.log(
    `${elapsed()}  HTTP/2 sockets: ${http2.sequences} sequences, ${http2.whole} requests reached the app whole, ${http2.canaries} canaries answered`,
  );
} catch (error) {
  console.error(`seed ${seed}: ${(error as Error).message}`);
  process.exitCode = 1;
}
