import { expect, it } from 'vitest';
import type { ProbeResult } from '../../../src/cluster/health-probe/probe.ts';
import { afterCheck, unchecked } from '../../../src/cluster/health-state.ts';
import { slowStartFactor } from '../../../src/cluster/slow-start.ts';

const results: Readonly<Record<string, ProbeResult>> = { g: 'good', b: 'bad', s: 'silent' };

it.each([
  ['the first success is enough', 'g', 'healthy'],
  ['the first failure is enough', 's', 'unhealthy'],
  ['one silence is not', 'gs', 'healthy'],
  ['as many as the threshold are', 'gss', 'unhealthy'],
  ['unless a success comes between', 'gsgs', 'healthy'],
  ['an unexpected status is enough', 'gb', 'unhealthy'],
  ['one success after that is not', 'gbg', 'unhealthy'],
  ['as many as the threshold are', 'gbgg', 'healthy'],
  ['unless a failure comes between', 'gbgsg', 'unhealthy'],
])('%s (%s): %s', (_what, checks, health) => {
  const config = { healthy_threshold: 2, unhealthy_threshold: 2 };
  expect([...checks].reduce((state, check) => afterCheck(state, results[check]!, config), unchecked).health).toBe(
    health,
  );
});

it.each([
  [0, 1, 0.1],
  [5000, 1, 0.5],
  [10_000, 1, 1],
  [2500, 2, 0.5],
  [Infinity, 1, 1],
])('slow start after %i ms with aggression %i gives %f', (age, aggression, factor) => {
  expect(slowStartFactor(age, { window: 10_000, min_weight_percent: 10, aggression })).toBeCloseTo(factor);
});
