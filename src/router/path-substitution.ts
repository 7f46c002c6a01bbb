import { compileSafeRegex } from '../options/index.ts';

/** A pattern and what takes its place, ready for `String.replace`. */
export interface PathSubstitution {
  readonly pattern: RegExp;
  readonly replace: (match: string, ...groups: (string | undefined)[]) => string;
}

/**
 * @param source regular expression, which need not match the whole path
 * @param substitution text in which \1 to \9 are the groups, \0 is all that matched, and \\ is a backslash
 * @throws Error whose message says what is wrong with either
 */
export function compileSubstitution(source: string, substitution: string): PathSubstitution {
  let flags: string;
  try {
    flags = compileSafeRegex(source).flags;
  } catch (error) {
    throw new Error(`pattern ${(error as Error).message}`, { cause: error });
  }
  const groups = new RegExp(`${source}|`, flags).exec('')!.length - 1;
  const parts: (string | number)[] = [];
  for (const [text] of substitution.matchAll(/\\.?|[^\\]+/g)) {
    if (text[0] !== '\\') parts.push(text);
    else if (text === '\\\\') parts.push('\\');
    else if (/^\\\d$/.test(text)) parts.push(Number(text[1]));
    else
      throw new Error('substitution has a backslash before something that is not a digit; write \\\\ for a backslash');
  }
  const missing = parts.find((part) => typeof part === 'number' && part > groups);
  if (missing !== undefined) throw new Error(`substitution uses \\${missing}, but the pattern has no such group`);
  return {
    pattern: new RegExp(source, `${flags}g`),
    replace: (...found) => {
      let text = '';
      for (const part of parts) text += typeof part === 'string' ? part : (found[part] ?? '');
      return text;
    },
  };
}
