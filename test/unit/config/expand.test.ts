import { describe, expect, it } from 'vitest';
import { expandVariables } from '../../../src/config/expand.ts';

const environment = { NAME: 'ada', EMPTY: '', DOLLARS: '$$ ${NAME}' };

describe('expandVariables', () => {
  it.each([
    ['text without a dollar', 'plain', 'plain'],
    ['a variable', '${NAME}', 'ada'],
    ['several in a text', 'a ${NAME} and ${NAME}!', 'a ada and ada!'],
    ['an empty variable', '[${EMPTY}]', '[]'],
    ['a default that is not needed', '${NAME:-bob}', 'ada'],
    ['a default for an unset variable', '${NOBODY:-bob}', 'bob'],
    ['a default for an empty variable', '${EMPTY:-bob}', 'bob'],
    ['an empty default', '[${NOBODY:-}]', '[]'],
    ['a default with a colon and dashes', '${NOBODY:-a:-b}', 'a:-b'],
    ['two dollars', 'costs 5$$', 'costs 5$'],
    ['an escaped variable', '$${NAME}', '${NAME}'],
    ['a dollar at the end of a pattern', '^/a$', '^/a$'],
    ['a dollar before a letter', '$NAME', '$NAME'],
    ['values that look like variables, which stay', '${DOLLARS}', '$$ ${NAME}'],
  ])('expands %s', (_, written, expected) => {
    expect(expandVariables(written, environment)).toMatchObject({ text: expected, complaints: [] });
  });

  it.each([
    ['an unset variable', '${NOBODY}', 'NOBODY is not set'],
    ['a bad name', '${NO BODY}', 'malformed ${NO BODY}'],
    ['an empty name', '${}', 'malformed ${}'],
    ['a missing brace', 'x${NAME', 'malformed ${NAME'],
  ])('complains of %s', (_, written, complaint) => {
    expect(expandVariables(written, environment).complaints).toEqual([expect.stringContaining(complaint)]);
  });

  it('names every unset variable of one text', () => {
    expect(expandVariables('${A}-${B}', {}).complaints).toHaveLength(2);
  });

  it('does not take inherited properties for variables', () => {
    expect(expandVariables('${toString}', Object.create(null) as Record<string, string>).complaints).toHaveLength(1);
    expect(expandVariables('${constructor}', {}).complaints).toHaveLength(1);
  });

  it('tells text that came from outside from text that was only unescaped', () => {
    expect(expandVariables('a$$', environment)).toMatchObject({ expanded: true, fromEnvironment: false });
    expect(expandVariables('${NOBODY:-x}', environment)).toMatchObject({ expanded: true, fromEnvironment: true });
  });
});
