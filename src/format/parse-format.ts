import { didYouMean } from '../options/index.ts';
import { operators } from './operators.ts';
import { compileRedactQuery } from './redact-query.ts';
import type { ReadValue } from './value.ts';

export interface ParseOptions {
  /** Query parameters whose values are hidden in paths, `referer` and `location`. */
  readonly redactQuery?: readonly string[];
}

/** The literal texts and operators of a format, in order. No two texts stand side by side, and none is empty. */
export type Piece = string | ReadValue;

/** @throws Error that says what is wrong and what to write instead */
export function parseFormat(format: string, options: ParseOptions = {}): Piece[] {
  const redact = compileRedactQuery(options.redactQuery ?? []);
  const pieces: Piece[] = [];
  let text = '';
  for (let at = 0; at < format.length;) {
    const percent = format.indexOf('%', at);
    text += format.slice(at, percent < 0 ? format.length : percent);
    if (percent < 0) break;
    if (format[percent + 1] === '%') {
      text += '%';
      at = percent + 2;
      continue;
    }
    operatorAt.lastIndex = percent;
    const match = operatorAt.exec(format);
    if (match === null) {
      throw new Error(
        `has a % at position ${percent + 1} that begins no operator such as %RESPONSE_CODE%; write %% for a percent sign`,
      );
    }
    if (text !== '') pieces.push(text);
    text = '';
    pieces.push(operator(match[1]!, match[2], match[3], redact));
    at = operatorAt.lastIndex;
  }
  if (text !== '') pieces.push(text);
  return pieces;
}

/** `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`; the argument may contain % but no `)`. */
const operatorAt = /%([A-Za-z][A-Za-z0-9_]*)(?:\(([^)]*)\))?(?::(\d{1,6}))?%/y;

function operator(
  name: string,
  argument: string | undefined,
  length: string | undefined,
  redact: (target: string) => string,
): ReadValue {
  const known = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (known === undefined) {
    const meant = didYouMean(name, Object.keys(operators));
    throw new Error(
      `unknown operator %${name}%${meant === undefined ? '' : `; did you mean %${meant}${operators[meant]!.takes}%?`}`,
    );
  }
  if (known.argument === 'none' && argument !== undefined) throw new Error(`operator %${name}% takes no argument`);
  if (known.argument === 'required' && (argument === undefined || argument === '')) {
    throw new Error(`operator %${name}% needs an argument: %${name}${known.takes}%`);
  }
  let read: ReadValue;
  try {
    read = known.compile(argument ?? '', { redact });
  } catch (error) {
    throw new Error(`operator %${name}%: ${(error as Error).message}`, { cause: error });
  }
  return length === undefined ? read : shortened(read, Number(length));
}

function shortened(read: ReadValue, length: number): ReadValue {
  return (exchange) => {
    const value = read(exchange);
    return typeof value === 'string' && value.length > length ? value.slice(0, length) : value;
  };
}
