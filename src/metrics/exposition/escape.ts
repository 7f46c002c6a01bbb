/** Escapes of the text formats. Both escape label values alike; help texts differ in the quotation mark. */

/** `\\`, `\"` and `\n` are resolved; any other pair stays as it is, as in Prometheus. */
export function unescapeLabelValue(text: string): string {
  return text.includes('\\') ? text.replace(/\\([\\"n])/g, (_, char: string) => (char === 'n' ? '\n' : char)) : text;
}

export function escapeLabelValue(text: string): string {
  return /[\\"\n]/.test(text) ? text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`)) : text;
}

/** Text format: `\\` and `\n`. */
export function unescapeHelp(text: string): string {
  return text.includes('\\') ? text.replace(/\\([\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char)) : text;
}

export function escapeHelp(text: string): string {
  return /[\\\n]/.test(text) ? text.replace(/[\\\n]/g, (char) => (char === '\n' ? '\\n' : '\\\\')) : text;
}
