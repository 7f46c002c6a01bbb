import { describe, expect, it } from 'vitest';
import { snappyCompress } from '../../../../src/metrics/push/snappy.ts';
import { Random } from '../../../support/random.ts';
import { unsnappy } from '../../../support/unsnappy.ts';

const random = new Random(7);
const noise = (length: number) => Buffer.from(Array.from({ length }, () => random.below(256)));

describe('snappy', () => {
  it.each<[what: string, input: Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('a')],
    ['four bytes', Buffer.from('abcd')],
    ['sixty bytes', noise(60)],
    ['sixty-one bytes', noise(61)],
    ['256 bytes', noise(256)],
    ['257 bytes', noise(257)],
    ['64 KiB and a byte of noise', noise(65_537)],
    ['one byte again and again', Buffer.alloc(100_000, 'x')],
    ['two bytes in turn', Buffer.from('ab'.repeat(50_000))],
    ['a repetition just near enough', Buffer.concat([Buffer.from('wxyz'), Buffer.alloc(65_531), Buffer.from('wxyz')])],
    ['a repetition that is too far away', Buffer.concat([Buffer.from('wxyz'), noise(70_000), Buffer.from('wxyz')])],
    [
      'repetitions of every length',
      Buffer.from(Array.from({ length: 300 }, (_, at) => `${at}${'q'.repeat(at)}`).join('')),
    ],
  ])('gives back %s', (_what, input) => {
    expect(unsnappy(snappyCompress(input)).equals(input)).toBe(true);
  });

  it('gives back random mixtures of noise and repetition', () => {
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 1 + random.below(20) }, () => noise(1 + random.below(40)));
      const input = Buffer.concat(Array.from({ length: random.below(200) }, () => random.pick(parts)));
      expect(unsnappy(snappyCompress(input)).equals(input)).toBe(true);
    }
  });

  it('makes text that repeats itself small, and never makes anything much larger', () => {
    const text = Buffer.from(
      Array.from({ length: 1000 }, (_, at) => `http_requests_total{path="/x",code="${at}"} 1\n`).join(''),
    );
    expect(snappyCompress(text).length).toBeLessThan(text.length / 3);
    expect(snappyCompress(noise(100_000)).length).toBeLessThan(100_100);
  });
});
