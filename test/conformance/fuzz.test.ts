import { expect, it } from 'vitest';
import { fuzzFrames, fuzzHttp2Sockets } from '../fuzz/http2.ts';
import { fuzzParsers } from '../fuzz/parsers.ts';
import { fuzzSockets } from '../fuzz/sockets.ts';
import { Random } from '../support/random.ts';
import { seed } from './properties/seed.ts';

// The short form of `npm run fuzz`.

it('parsers stand 20,000 mutated messages', () => {
  const { accepted, bodies } = fuzzParsers(new Random(seed), 20_000);
  expect(accepted, `seed ${seed}`).toBeGreaterThan(5000);
  expect(bodies, `seed ${seed}`).toBeGreaterThan(500);
});

it('a running Portico stands 300 mutated messages, and as many answers', async () => {
  const { whole, canaries } = await fuzzSockets(new Random(seed), 300);
  expect(whole, `seed ${seed}`).toBeGreaterThan(60);
  expect(canaries).toBe(30);
}, 60_000);

it('the reader of frames and the decoder of fields stand 5000 mutated sequences', () => {
  const { frames, blocks } = fuzzFrames(new Random(seed), 5000);
  expect(frames, `seed ${seed}`).toBeGreaterThan(10_000);
  expect(blocks, `seed ${seed}`).toBeGreaterThan(2000);
});

it('a running Portico stands 300 mutated sequences of frames', async () => {
  const { whole, canaries } = await fuzzHttp2Sockets(new Random(seed), 300);
  // Clients leave after 15 ms of silence, which a busy machine does not always answer in.
  expect(whole, `seed ${seed}`).toBeGreaterThan(10);
  expect(canaries).toBe(30);
}, 60_000);
