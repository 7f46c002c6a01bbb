/** What became of a text with `${…}` in it. */
export interface Expansion {
  readonly text: string;
  /** Something was put in, or `$$` was taken away. */
  readonly expanded: boolean;
  /** Whether a variable's value is in the text. */
  readonly fromEnvironment: boolean;
  readonly complaints: readonly string[];
}

const parts = /\$\$|\$\{([^}]*)(\}?)/g;
const inside = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Replaces `${NAME}` by the environment variable, `${NAME:-default}` by the default when the variable is unset or empty,
 * and `$$` by `$`. What is put in is not looked at again. A `$` before anything else stays, as in a pattern `^/a$`.
 */
export function expandVariables(written: string, environment: Readonly<Record<string, string | undefined>>): Expansion {
  const complaints: string[] = [];
  let fromEnvironment = false;
  const text = written.replace(parts, (whole, content: string | undefined, closing: string) => {
    if (whole === '$$') return '$';
    const match = inside.exec(content ?? '');
    if (match === null || closing === '') {
      complaints.push(
        `has a malformed ${shorten(whole)}; write \${NAME} or \${NAME:-default}, or $\${ for a literal \${`,
      );
      return whole;
    }
    const [, name, fallback] = match;
    const value = Object.hasOwn(environment, name!) ? environment[name!] : undefined;
    fromEnvironment = true;
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value !== undefined) return value;
    complaints.push(`the environment variable ${name} is not set; set it, or write \${${name}:-default}`);
    return whole;
  });
  return { text, expanded: text !== written || fromEnvironment, fromEnvironment, complaints };
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}
