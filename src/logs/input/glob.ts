/**
 * Patterns of paths: `*` and `?` within a name, `[abc]`, `[!abc]`, `{one,two}`, and `**` for any number of folders. As in a shell,
 * names that begin with a dot are found only by patterns that say so.
 */
export interface Glob {
  readonly pattern: string;
  /** The deepest folder that all paths of the pattern are in. */
  readonly root: string;
  /** One per name below the root. */
  readonly segments: readonly GlobSegment[];
  readonly matches: (path: string) => boolean;
}

export type GlobSegment =
  | { readonly kind: 'folders' }
  | { readonly kind: 'literal'; readonly name: string }
  | { readonly kind: 'pattern'; matches(name: string): boolean };

const magic = /[*?[{]/;
const mostAlternatives = 64;

/** @throws Error that says what is wrong with the pattern */
export function compileGlob(pattern: string): Glob {
  if (!pattern.startsWith('/')) throw new Error('must be an absolute path');
  if (pattern.includes('\0')) throw new Error('must not contain a NUL byte');
  const names = pattern.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw new Error('must not contain ..');
  if (names.length === 0 || names[names.length - 1] === '**')
    throw new Error('must end with the name of a file, such as *.log');
  const firstMagic = names.findIndex((name) => magic.test(name));
  const literal = firstMagic < 0 ? names.length - 1 : firstMagic;
  const root = `/${names.slice(0, literal).join('/')}`;
  const segments = names.slice(literal).map(compileSegment);
  return { pattern, root, segments, matches: (path) => matchPath(root, segments, path) };
}

/** A pattern of names, or, with a slash in it, of paths. */
export function compileExclude(pattern: string): (path: string) => boolean {
  if (pattern.includes('/')) {
    const glob = compileGlob(pattern);
    return (path) => glob.matches(path);
  }
  const segment = compileSegment(pattern);
  return (path) => matchName(segment, path.slice(path.lastIndexOf('/') + 1));
}

function compileSegment(name: string): GlobSegment {
  if (name === '**') return { kind: 'folders' };
  if (!magic.test(name)) return { kind: 'literal', name };
  const expressions = alternatives(name).map(segmentExpression);
  return { kind: 'pattern', matches: (candidate) => expressions.some((expression) => expression.test(candidate)) };
}

function matchName(segment: GlobSegment, name: string): boolean {
  return segment.kind === 'literal' ? segment.name === name : segment.kind === 'pattern' && segment.matches(name);
}

function matchPath(root: string, segments: readonly GlobSegment[], path: string): boolean {
  const prefix = root === '/' ? '/' : `${root}/`;
  if (!path.startsWith(prefix)) return false;
  return matchNames(segments, path.slice(prefix.length).split('/'));
}

function matchNames(segments: readonly GlobSegment[], names: readonly string[]): boolean {
  const [segment, ...rest] = segments;
  if (segment === undefined) return names.length === 0;
  if (segment.kind === 'folders') {
    if (matchNames(rest, names)) return true;
    return names.length > 1 && !names[0]!.startsWith('.') && matchNames(segments, names.slice(1));
  }
  return names.length > 0 && matchName(segment, names[0]!) && matchNames(rest, names.slice(1));
}

/** `a{b,c}d` is `abd` and `acd`. */
function alternatives(name: string): string[] {
  const open = name.indexOf('{');
  if (open < 0) return [name];
  const close = name.indexOf('}', open);
  if (close < 0) throw new Error('has a { without a }');
  const inner = name.slice(open + 1, close);
  if (inner.includes('{')) throw new Error('has a { within a {');
  const all = inner.split(',').flatMap((one) => alternatives(name.slice(0, open) + one + name.slice(close + 1)));
  if (all.length > mostAlternatives) throw new Error(`has more than ${mostAlternatives} alternatives`);
  return all;
}

function segmentExpression(name: string): RegExp {
  let source = /^[*?[]/.test(name) ? '(?!\\.)' : '';
  for (let at = 0; at < name.length; at++) {
    const char = name[at]!;
    if (char === '*') {
      if (name[at - 1] !== '*') source += '[^/]*';
    } else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const close = name.indexOf(']', at + 2);
      if (close < 0) throw new Error('has a [ without a ]');
      const negated = name[at + 1] === '!' || name[at + 1] === '^';
      const set = name.slice(at + (negated ? 2 : 1), close).replace(/[\\\]^[]/g, '\\$&');
      source += `[${negated ? '^' : ''}${set}]`;
      at = close;
    } else source += char.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    throw new Error('is not a pattern of names');
  }
}
