import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAll } from '../../../support/parse-exposition.ts';

const folder = `${process.env['PORTICO_TEST_DATA'] ?? '../shared'}/data/openmetrics`;
const present = existsSync(folder);
if (!present) console.warn(`The OpenMetrics cases are skipped: there is no ${folder}; set PORTICO_TEST_DATA`);

const cases = present
  ? readdirSync(folder).map((name) => {
      const { shouldParse } = JSON.parse(readFileSync(`${folder}/${name}/test.json`, 'utf8')) as {
        shouldParse: boolean;
      };
      return { name, shouldParse, text: readFileSync(`${folder}/${name}/metrics`) };
    })
  : [];

describe.skipIf(!present)('The cases of prometheus/OpenMetrics (skipped where they are missing)', () => {
  it('are all there', () => {
    expect(cases.filter(({ shouldParse }) => shouldParse)).toHaveLength(44);
    expect(cases.filter(({ shouldParse }) => !shouldParse)).toHaveLength(167);
  });

  it.each(cases.filter(({ shouldParse }) => shouldParse))('$name is taken', ({ text }) => {
    expect(() => parseAll('openmetrics', text, { invalidLines: 'refuse' })).not.toThrow();
  });

  it.each(cases.filter(({ shouldParse }) => !shouldParse))('$name is refused, with its line', ({ text }) => {
    expect(() => parseAll('openmetrics', text, { invalidLines: 'refuse' })).toThrow(/^line \d+: \S/);
  });
});
