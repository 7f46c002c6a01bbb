import type { Exchange } from '../http/index.ts';
import { quoteJson } from './escape.ts';
import { parseFormat, type ParseOptions, type Piece } from './parse-format.ts';
import type { ReadValue, Value } from './value.ts';

/** A JSON value whose texts may contain command operators. */
export type JsonFormat =
  string | number | boolean | null | readonly JsonFormat[] | { readonly [key: string]: JsonFormat };

/**
 * Compiles a JSON value whose texts contain command operators into a function that writes it on one line of ASCII,
 * without line end. A text that is one operator and nothing else keeps its type: numbers are numbers, unset is null.
 * In a longer text unset is `-`.
 * @throws Error that names the key, says what is wrong and what to write instead
 */
export function compileJsonFormat(format: JsonFormat, options: ParseOptions = {}): (exchange: Exchange) => string {
  const parts = new Parts(options);
  parts.add(format, '');
  return parts.writer();
}

/** Flattens the tree: what remains is text that never changes, and between it the values. */
class Parts {
  readonly #options: ParseOptions;
  readonly #pieces: ((exchange: Exchange) => string)[] = [];
  /** What never changes, since the last piece. */
  #text = '';

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  add(format: JsonFormat, key: string): void {
    if (typeof format === 'string') this.#addText(format, key);
    else if (typeof format !== 'object' || format === null) this.#text += JSON.stringify(format);
    else if (isArray(format)) {
      this.#text += '[';
      format.forEach((item, index) => {
        if (index > 0) this.#text += ',';
        this.add(item, `${key}[${index}]`);
      });
      this.#text += ']';
    } else {
      this.#text += '{';
      Object.entries(format).forEach(([name, item], index) => {
        this.#text += `${index > 0 ? ',' : ''}${quoteJson(name)}:`;
        this.add(item, key === '' ? name : `${key}.${name}`);
      });
      this.#text += '}';
    }
  }

  writer(): (exchange: Exchange) => string {
    const pieces = this.#pieces;
    const after = this.#text;
    return function formatJson(exchange) {
      let text = '';
      for (let at = 0; at < pieces.length; at++) text += pieces[at]!(exchange);
      return text + after;
    };
  }

  #addText(format: string, key: string): void {
    let pieces: Piece[];
    try {
      pieces = parseFormat(format, this.#options);
    } catch (error) {
      throw new Error(`${key === '' ? '' : `${key}: `}${(error as Error).message}`, { cause: error });
    }
    const only = pieces[0] ?? '';
    if (pieces.length <= 1 && typeof only === 'string') {
      this.#text += quoteJson(only);
      return;
    }
    this.#pieces.push(pieces.length === 1 ? typed(this.#text, only as ReadValue) : mixed(this.#text, pieces));
    this.#text = '';
  }
}

function typed(before: string, read: ReadValue): (exchange: Exchange) => string {
  // Most values are those of the line before: names of routes and endpoints, methods, user agents. So is their text.
  let last: Value;
  let text = `${before}null`;
  return (exchange) => {
    const value = read(exchange);
    if (value === last) return text;
    last = value;
    if (value === undefined) text = `${before}null`;
    else text = before + (typeof value === 'number' ? String(value) : quoteJson(value));
    return text;
  };
}

function mixed(before: string, pieces: readonly Piece[]): (exchange: Exchange) => string {
  return (exchange) => {
    let text = '';
    for (const piece of pieces) text += typeof piece === 'string' ? piece : (piece(exchange) ?? '-');
    return before + quoteJson(text);
  };
}

function isArray(format: object): format is readonly JsonFormat[] {
  return Array.isArray(format);
}
