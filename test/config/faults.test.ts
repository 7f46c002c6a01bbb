import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidConfig, loadConfig } from '../../src/config/index.ts';

// Every file NAME.yaml in the folder is refused with the lines of NAME.txt: to add a case, add the two files.
const folder = 'test/config/faults';
const environment = { EMPTY: '', LOUD: 'deafening' };

describe('a faulty configuration is refused with every fault, its place and what to write instead', () => {
  const cases = readdirSync(folder).filter((file) => file.endsWith('.yaml'));

  it.each(cases)('%s', async (file) => {
    const expected = readFileSync(`${folder}/${file.replace(/yaml$/, 'txt')}`, 'utf8');
    const error = await loadConfig(`${folder}/${file}`, { environment }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidConfig);
    const told = (error as InvalidConfig).lines.map((line) => `${line}\n`).join('');
    expect(told.replaceAll(process.cwd(), '<root>')).toBe(expected);
    expect((error as InvalidConfig).message).toBe((error as InvalidConfig).lines.join('\n'));
  });
});
