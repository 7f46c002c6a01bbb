import { expect, test } from 'vitest';
import { storeAway } from '../../support/logs-outage.ts';

test('a store that is away while portico logs is killed and restarted gets everything when it is back', async () => {
  const report = await storeAway({ away: 6000, more: 'retry: { base_interval: 50ms, max_interval: 500ms }' });
  expect(report).toMatchObject({ missing: [], repeated: 0, foreign: [] });
  expect(report.whileAway).toBeGreaterThan(100);
}, 180_000);
