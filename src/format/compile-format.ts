import type { Exchange } from '../http/index.ts';
import { parseFormat, type ParseOptions } from './parse-format.ts';

export interface FormatOptions extends ParseOptions {
  /** Written where an operator has nothing to tell. Default `-`. */
  readonly unset?: string;
  /** Applied to what operators give, never to the text around them: {@link escapeText} for a log line. */
  readonly escape?: (value: string) => string;
}

/**
 * Compiles text with Envoy's command operators: `compileFormat('%REQ(:METHOD)% %RESPONSE_CODE%')`.
 * @throws Error that says what is wrong with the format and what to write instead
 */
export function compileFormat(format: string, options: FormatOptions = {}): (exchange: Exchange) => string {
  const { unset = '-', escape = (value: string) => value } = options;
  const pieces = parseFormat(format, options);
  const only = pieces[0];
  if (pieces.length === 0) return () => '';
  if (pieces.length === 1 && typeof only === 'string') return () => only;
  return function formatText(exchange) {
    let text = '';
    for (const piece of pieces) {
      if (typeof piece === 'string') {
        text += piece;
        continue;
      }
      const value = piece(exchange);
      if (value === undefined) text += unset;
      else text += typeof value === 'number' ? value : escape(value);
    }
    return text;
  };
}
