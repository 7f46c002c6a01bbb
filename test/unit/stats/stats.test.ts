import { describe, expect, it } from 'vitest';
import { Stats } from '../../../src/stats/index.ts';

describe('metrics', () => {
  it('are rendered in the text format, with what was added to them', async () => {
    const stats = new Stats();
    const counter = stats.counter('portico_x_total', 'Counts.', ['kind']);
    counter.with({ kind: 'a' }).add();
    counter.with({ kind: 'a' }).add(2);
    counter.with({ kind: 'say "b"' }).add();
    const gauge = stats.gauge('portico_y', 'Gauges.').with({});
    gauge.set(5);
    gauge.add(-2);
    expect(await stats.render()).toBe(
      `# HELP portico_x_total Counts.
# TYPE portico_x_total counter
portico_x_total{kind="a"} 3
portico_x_total{kind="say \\"b\\""} 1

# HELP portico_y Gauges.
# TYPE portico_y gauge
portico_y 3
`,
    );
  });

  it('cumulate the buckets of a histogram, bounds included', async () => {
    const stats = new Stats();
    const seconds = stats.histogram('portico_z_seconds', 'Takes.', ['route'], [0.1, 1]).with({ route: 'r' });
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    expect((await stats.render()).split('\n').slice(2)).toEqual([
      'portico_z_seconds_bucket{le="0.1",route="r"} 2',
      'portico_z_seconds_bucket{le="1",route="r"} 3',
      'portico_z_seconds_bucket{le="+Inf",route="r"} 4',
      'portico_z_seconds_sum{route="r"} 7.65',
      'portico_z_seconds_count{route="r"} 4',
      '',
    ]);
  });

  it('go on where they were when somebody asks for the same name again, and forget what is removed', async () => {
    const stats = new Stats();
    stats.counter('portico_x_total', 'Counts.', ['a']).with({ a: '1' }).add();
    const again = stats.counter('portico_x_total', 'Counts.', ['a']);
    again.with({ a: '1' }).add();
    expect(await stats.render()).toContain('portico_x_total{a="1"} 2');
    again.remove({ a: '1' });
    expect(await stats.render()).not.toContain('portico_x_total{');
  });

  it('refuse labels they were not made with', () => {
    const counter = new Stats().counter('portico_x_total', 'Counts.', ['a']);
    expect(() => counter.with({ b: '1' })).toThrow('portico_x_total has the labels a, not b');
  });
});
