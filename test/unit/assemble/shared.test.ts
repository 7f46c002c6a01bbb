import { expect, it } from 'vitest';
import { fingerprint } from '../../../src/assemble/fingerprint.ts';
import { Generation } from '../../../src/assemble/generation.ts';
import { Shared } from '../../../src/assemble/shared.ts';

it('what is shared is closed once, by the last who lets go', async () => {
  const closed: string[] = [];
  const shared = new Shared('it', (value) => void closed.push(value));
  shared.retain().retain();
  await shared.release();
  await shared.release();
  expect(closed).toEqual([]);
  await shared.release();
  expect(closed).toEqual(['it']);
});

it('a generation is empty when the last of those who entered has left', async () => {
  const generation = new Generation();
  await generation.empty();
  generation.enter();
  generation.enter();
  let empty = false;
  const waiting = generation.empty().then(() => (empty = true));
  generation.leave();
  await new Promise((resolve) => setImmediate(resolve));
  expect(empty).toBe(false);
  generation.leave();
  await waiting;
});

it('a fingerprint knows values, and not the order of keys', () => {
  expect(fingerprint({ a: 1, b: { c: [1, 2], d: null } })).toBe(fingerprint({ b: { d: null, c: [1, 2] }, a: 1 }));
  expect(fingerprint({ a: [1, 2] })).not.toBe(fingerprint({ a: [2, 1] }));
  expect(fingerprint({ a: 1 })).not.toBe(fingerprint({ a: '1' }));
});
