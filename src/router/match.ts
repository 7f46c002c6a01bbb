import type { Request } from '../http/index.ts';
import type { HeaderMatcherConfig, MatchConfig, QueryMatcherConfig } from './config.ts';
import { queryParameter } from './query-parameter.ts';

/** Says whether a request takes the route; `path` is its path without the query. */
export type Matcher = (request: Request, path: string) => boolean;

/** Compiles everything that a match asks for into one function. */
export function compileMatch(config: MatchConfig): Matcher {
  const onPath = compilePath(config);
  const conditions = [
    ...compileMethods(config.methods),
    ...config.headers.map(compileHeader),
    ...config.query_parameters.map(compileQuery),
  ];
  if (conditions.length === 0) return (_request, path) => onPath(path);
  return function matches(request, path) {
    if (!onPath(path)) return false;
    for (const condition of conditions) if (!condition(request)) return false;
    return true;
  };
}

type Condition = (request: Request) => boolean;

function compilePath(config: MatchConfig): (path: string) => boolean {
  const sensitive = config.case_sensitive;
  if (config.safe_regex !== undefined) {
    const { source, flags } = config.safe_regex;
    const pattern = sensitive ? config.safe_regex : new RegExp(source, `${flags}i`);
    return (path) => pattern.test(path);
  }
  const onCase = compilePlainPath(config, (text) => (sensitive ? text : text.toLowerCase()));
  return sensitive ? onCase : (path) => onCase(path.toLowerCase());
}

function compilePlainPath(config: MatchConfig, fold: (text: string) => string): (path: string) => boolean {
  if (config.path !== undefined) {
    const exact = fold(config.path);
    return (path) => path === exact;
  }
  if (config.prefix !== undefined) {
    const prefix = fold(config.prefix);
    return (path) => path.startsWith(prefix);
  }
  const prefix = fold(config.path_separated_prefix!);
  return (path) => path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

function compileMethods(methods: readonly string[]): Condition[] {
  if (methods.length === 0) return [];
  const allowed = new Set(methods);
  return [(request) => allowed.has(request.method)];
}

function compileHeader(config: HeaderMatcherConfig): Condition {
  const read = readerOf(config.name);
  const invert = config.invert_match;
  const wanted = config.present ?? true;
  const onValue = compileValue(config);
  if (onValue === undefined) return (request) => ((read(request) !== undefined) === wanted) !== invert;
  return function headerMatches(request) {
    const value = read(request);
    return value !== undefined && onValue(value) !== invert;
  };
}

function readerOf(name: string): (request: Request) => string | undefined {
  switch (name) {
    case ':method':
      return (request) => request.method;
    case ':scheme':
      return (request) => request.scheme;
    case ':path':
      return (request) => request.path;
    case ':authority':
    case 'host':
      return (request) => (request.authority === '' ? undefined : request.authority);
    default:
      return (request) => request.headers.get(name);
  }
}

function compileQuery(config: QueryMatcherConfig): Condition {
  const name = config.name;
  const wanted = config.present ?? true;
  const onValue = compileValue(config);
  if (onValue === undefined) return (request) => (queryParameter(request.path, name) !== undefined) === wanted;
  return function queryMatches(request) {
    const value = queryParameter(request.path, name);
    return value !== undefined && onValue(value);
  };
}

type ValueMatcher = Partial<Pick<HeaderMatcherConfig, 'exact' | 'prefix' | 'suffix' | 'contains' | 'safe_regex'>>;

/** Undefined when only presence is asked for. */
function compileValue({
  exact,
  prefix,
  suffix,
  contains,
  safe_regex,
}: ValueMatcher): ((value: string) => boolean) | undefined {
  if (exact !== undefined) return (value) => value === exact;
  if (prefix !== undefined) return (value) => value.startsWith(prefix);
  if (suffix !== undefined) return (value) => value.endsWith(suffix);
  if (contains !== undefined) return (value) => value.includes(contains);
  if (safe_regex !== undefined) return (value) => safe_regex.test(value);
  return undefined;
}
