/**
 * Logs `lines` exchanges to standard output, then ends as told: `close` closes the filter first, `exit` and `natural` do
 * not. With `busy` it does so like a proxy that has no time to spare: 64 of them in each round of the event loop, and 40 µs
 * of other work for each. Says on standard error, as JSON, what a test wants to know: the longest time that the event loop
 * stood still, how long the thread pool took for something else, and the filter's counters.
 */
import '../../src/filter/resolve-portico.ts';
import { readFile } from 'node:fs/promises';

const { default: filter } = await import('../../filters/access-log.ts');
const { makeExchange, startFilter } = await import('./filter-harness.ts');

const [, , lines, ending, pace] = process.argv;
const { hooks, stats, log } = await startFilter(filter, {});

const busy = pace === 'busy';
let longestPause = 0;
let last = performance.now();
for (let written = 0; written < Number(lines);) {
  for (let n = 0; n < (busy ? 64 : 200) && written < Number(lines); n++) {
    hooks.onLog!(makeExchange({ path: `/${written++}` }));
    if (busy) work(0.04);
  }
  await (busy ? new Promise((resolve) => setImmediate(resolve)) : new Promise((resolve) => setTimeout(resolve, 1)));
  longestPause = Math.max(longestPause, performance.now() - last);
  last = performance.now();
}
await Promise.all(Array.from({ length: 4 }, () => readFile(import.meta.filename)));
const threadPool = performance.now() - last;

if (ending === 'close') await hooks.close!();
console.error(JSON.stringify({ longestPause, threadPool, ...stats, warnings: log.map(({ message }) => message) }));
if (ending === 'exit') process.exit(0);

function work(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}
