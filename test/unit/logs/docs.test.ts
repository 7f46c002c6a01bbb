import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { compileParser } from '../../../src/logs/parse/compile-parser.ts';
import { parserSchema } from '../../../src/logs/parse/config.ts';
import { processingSchema } from '../../../src/logs/processing-config.ts';

const page = readFileSync('docs/logs-processing.md', 'utf8');
const readAt = Date.UTC(2026, 10, 25, 12);

function parserOf(yaml: string) {
  return v.parse(parserSchema, (parseYaml(yaml) as { parser: unknown }).parser);
}

describe('docs/logs-processing.md', () => {
  const examples = [...page.matchAll(/```yaml\n(parser:[^`]*)```\n\n```text\n(.*)\n```\n\n```json\n([^`]*)```/g)].map(
    ([, parser, line, record]) => [line!, parser!, record!] as const,
  );

  it('has an example of each parser', () => {
    const shown = examples.map(([, parser]) => parserOf(parser).type);
    expect(shown).toEqual(['json', 'logfmt', 'nginx', 'regex', 'cri', 'auto']);
  });

  it.each(examples)('is right about %s', (line, parser, record) => {
    const read = compileParser(parserOf(parser));
    const { fields, instant } = read(line, { readAt, escaped: false });
    expect(fields).toEqual(JSON.parse(record));
    if (/\d{4}/.test(line) && !line.startsWith('listening'))
      expect(new Date(instant!.time).toISOString()).toMatch(/^2026-11-25T10:00:00/);
  });

  it('shows rules and redaction that are accepted', () => {
    const shown = /```yaml\n(rules:[^`]*)```/.exec(page)![1]!;
    expect(v.safeParse(processingSchema, parseYaml(shown)).issues).toBeUndefined();
  });
});
