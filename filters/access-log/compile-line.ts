import { compileFormat, compileJsonFormat, escapeText, type Exchange, type JsonFormat } from 'portico';
import { defaultJson, defaultText } from './default-formats.ts';

export type LineFormat = 'json' | 'text' | { readonly json: JsonFormat } | { readonly text: string };

/**
 * Compiles a format into a function that writes one line with its end, whatever clients send.
 * @throws Error that says what is wrong with the format
 */
export function compileLine(format: LineFormat, redactQuery: readonly string[]): (exchange: Exchange) => string {
  if (format === 'json') return json(defaultJson, redactQuery);
  if (format === 'text') return text(defaultText, redactQuery);
  return 'json' in format ? json(format.json, redactQuery) : text(format.text, redactQuery);
}

function json(format: JsonFormat, redactQuery: readonly string[]): (exchange: Exchange) => string {
  const write = compileJsonFormat(format, { redactQuery });
  return (exchange) => `${write(exchange)}\n`;
}

/** Formats copied from Envoy end with a line end of their own. */
function text(written: string, redactQuery: readonly string[]): (exchange: Exchange) => string {
  const format = written.replace(/\r?\n$/, '');
  if (/[\r\n]/.test(format)) throw new Error('has a line end within; a request is one line');
  return compileFormat(`${format}\n`, { escape: escapeText, redactQuery });
}
