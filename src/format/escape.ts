/**
 * What a client sends ends up in logs that people read in terminals and machines read line by line. Both writers here
 * give one line of printable ASCII, whatever comes in, so that nobody can forge a line, close a quote or drive a terminal.
 */

/** Printable ASCII without `"` and `\\`. */
const plain = /^[ !#-[\]-~]*$/;
const notAscii = /[^ -~]/g;
const special = /[^ !#-[\]-~]/g;

/** A JSON string with its quotes. */
export function quoteJson(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(notAscii, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Text for between double quotes on a line: `"` and `\` with a backslash, the rest as `\n`, `\r`, `\t`, `\xHH` or `\uHHHH`. */
export function escapeText(text: string): string {
  return plain.test(text) ? text : text.replace(special, escapeChar);
}

function escapeChar(char: string): string {
  const known = short[char];
  if (known !== undefined) return known;
  const code = char.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
}

const short: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
