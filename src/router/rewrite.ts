import type { MatchConfig } from './config.ts';
import type { PathSubstitution } from './path-substitution.ts';

/** Makes a new request target; the query stays as it is. */
export type Rewrite = (target: string) => string;

/** Compiles a rewrite of the path; undefined when there is none. At most one of the two is given. */
export function compileRewrite(
  match: MatchConfig,
  prefixRewrite: string | undefined,
  regexRewrite?: PathSubstitution,
): Rewrite | undefined {
  if (prefixRewrite !== undefined) return rewritePrefix(match, prefixRewrite);
  if (regexRewrite !== undefined) return rewritePattern(regexRewrite);
  return undefined;
}

function rewritePrefix(match: MatchConfig, replacement: string): Rewrite {
  const matched = (match.prefix ?? match.path ?? match.path_separated_prefix!).length;
  // `/api` to `/` shall make `/api/users` `/users`: two slashes would be another path, which the app may read otherwise.
  const slash = replacement.endsWith('/');
  return (target) => replacement + target.slice(slash && target[matched] === '/' ? matched + 1 : matched);
}

function rewritePattern({ pattern, replace }: PathSubstitution): Rewrite {
  return function rewriteByPattern(target) {
    const query = target.indexOf('?');
    const path = query < 0 ? target : target.slice(0, query);
    const rewritten = path.replace(pattern, replace);
    const origin = rewritten[0] === '/' ? rewritten : `/${rewritten}`;
    return query < 0 ? origin : origin + target.slice(query);
  };
}
