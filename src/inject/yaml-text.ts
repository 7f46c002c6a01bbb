import { stringify } from 'yaml';

/** A value as lines of block YAML. */
export function block(value: unknown, indent: number): string[] {
  // compat: what an older reader would take for something else, such as `on`, is put in quotes.
  const text = stringify(value, { indent: 2, lineWidth: 0, compat: 'yaml-1.1', aliasDuplicateObjects: false });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `${' '.repeat(indent)}${line}`);
}

/** JSON is YAML; plain words need no quotes. */
export function inFlow(value: unknown): string {
  if (
    typeof value === 'string' &&
    /^[a-z][a-z\d-]*$/i.test(value) &&
    !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(value)
  )
    return value;
  return JSON.stringify(value);
}

/** What a person can do about text that the parser does not take. */
export function notYaml(text: string, offset: number, message: string): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const stop = text.indexOf('\n', offset);
  const template = text.slice(start, stop < 0 ? undefined : stop).includes('{{');
  return template
    ? 'a template, not yet a manifest; render it first, as in: helm template … | portico inject -f -'
    : `not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
