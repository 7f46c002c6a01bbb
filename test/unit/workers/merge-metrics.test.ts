import { describe, expect, it } from 'vitest';
import { Stats } from '../../../src/stats/index.ts';
import { describeFamilies, mergeFamilies, remains, renderFamilies } from '../../../src/workers/merge-metrics.ts';

async function lines(sources: readonly Stats[]): Promise<string[]> {
  const text = await renderFamilies(mergeFamilies(await Promise.all(sources.map(describeFamilies))));
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the metrics of several processes', () => {
  it('are added where they count', async () => {
    const all = [1, 2].map((many) => {
      const stats = new Stats();
      stats.counter('requests', 'd', ['code']).with({ code: '2xx' }).add(many);
      stats
        .gauge('connections', 'd')
        .with({})
        .set(many * 10);
      stats.histogram('seconds', 'd', [], [1, 2]).with({}).observe(many);
      return stats;
    });
    all[1]!.counter('requests', 'd', ['code']).with({ code: '5xx' }).add();
    expect(await lines(all)).toEqual([
      'requests{code="2xx"} 3',
      'requests{code="5xx"} 1',
      'connections 30',
      'seconds_bucket{le="1"} 1',
      'seconds_bucket{le="2"} 2',
      'seconds_bucket{le="+Inf"} 2',
      'seconds_sum 3',
      'seconds_count 2',
    ]);
  });

  it.each([
    ['max', 7],
    ['min', 2],
    ['first', 5],
    ['sum', 14],
  ] as const)('are as they say: %s', async (together, expected) => {
    const all = [5, 2, 7].map((value) => {
      const stats = new Stats();
      stats.gauge('set', 'd', [], together).with({}).set(value);
      stats.observed('observed', 'd', [], () => [[{}, value]], together);
      return stats;
    });
    expect(await lines(all)).toEqual([`set ${expected}`, `observed ${expected}`]);
  });

  it('are the same whatever the order of their labels', async () => {
    const [one, other] = [new Stats(), new Stats()];
    one.counter('c', 'd', ['a', 'b']).with({ a: '1', b: '2' }).add();
    other.counter('c', 'd', ['a', 'b']).with({ b: '2', a: '1' }).add();
    expect(await lines([one, other])).toEqual(['c{a="1",b="2"} 2']);
  });

  it('keep what one that has ended had counted, and nothing else of it', async () => {
    const stats = new Stats();
    stats.counter('c', 'd').with({}).add(4);
    stats.histogram('h', 'd', [], [1]).with({}).observe(1);
    stats.gauge('g', 'd').with({}).set(4);
    stats.counter('alike', 'd', [], 'max').with({}).add(4);
    expect(remains(await describeFamilies(stats)).map(({ name }) => name)).toEqual(['c', 'h']);
  });

  it('do not change what they are made of', async () => {
    const families = await Promise.all(
      [1, 2].map((value) => {
        const stats = new Stats();
        stats.counter('c', 'd').with({}).add(value);
        return describeFamilies(stats);
      }),
    );
    const before = structuredClone(families);
    mergeFamilies(families);
    expect(families).toEqual(before);
  });
});
