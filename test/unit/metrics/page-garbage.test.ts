import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { MetricFamily } from '../../../src/metrics/family.ts';
import { PageGarbage } from '../../../src/metrics/page-garbage.ts';

function families(samples: number): MetricFamily[] {
  const sample = { name: 'a', labels: [], value: '1', timestamp: undefined, exemplar: undefined };
  return [
    {
      name: 'a',
      type: 'gauge',
      help: undefined,
      unit: undefined,
      samples: Array.from({ length: samples }, () => sample),
    },
  ];
}

function counted() {
  let collections = 0;
  return { garbage: new PageGarbage(() => collections++), collections: () => collections };
}

describe('the garbage of a page', () => {
  it.each([
    ['a small page is left to V8', [100], 0],
    ['a large one is collected', [5_000], 1],
    ['two that are over at once are collected together', [5_000, 10_000], 1],
  ])('%s', async (_name, pages, expected) => {
    const { garbage, collections } = counted();
    for (const samples of pages) garbage.left(families(samples));
    expect(collections()).toBe(0);
    await turn();
    expect(collections()).toBe(expected);
  });

  it('is collected again for the next page', async () => {
    const { garbage, collections } = counted();
    for (let page = 0; page < 2; page++) {
      garbage.left(families(5_000));
      await turn();
    }
    expect(collections()).toBe(2);
  });

  it('waits until the last chunk was taken', async () => {
    const { garbage, collections } = counted();
    const chunks = garbage.after([Buffer.from('a'), Buffer.from('b')], families(5_000));
    expect(chunks.next().value).toEqual(Buffer.from('a'));
    expect(chunks.next().value).toEqual(Buffer.from('b'));
    await turn();
    expect(collections()).toBe(0);
    expect(chunks.next().done).toBe(true);
    await turn();
    expect(collections()).toBe(1);
  });

  it('does not wait for a client that has left', async () => {
    const { garbage, collections } = counted();
    const chunks = garbage.after([Buffer.from('a'), Buffer.from('b')], families(5_000));
    chunks.next();
    chunks.return(undefined);
    await turn();
    expect(collections()).toBe(1);
  });
});
