import { pathOf, type Request } from 'portico';
import type { RuleConfig } from './config.ts';
import type { Provider } from './provider.ts';

/** What the rule of a request asks for. */
export interface Requirement {
  /** One of these must accept the token; none: nobody looks at tokens. */
  readonly providers: readonly Provider[];
  readonly allowMissing: boolean;
}

/** Gives the requirement of the first rule that matches; undefined when none does. */
export function compileRules(
  rules: readonly RuleConfig[],
  providers: ReadonlyMap<string, Provider>,
): (request: Request) => Requirement | undefined {
  const compiled = rules.map((rule) => ({
    matchesPath: pathMatcher(rule.match),
    methods: rule.match.methods === undefined ? undefined : new Set(rule.match.methods),
    requirement: {
      providers: (rule.requires === undefined ? (rule.requires_any ?? []) : [rule.requires]).map((name) =>
        providers.get(name)!,
      ),
      allowMissing: rule.allow_missing,
    },
  }));
  return (request) => {
    const path = pathOf(request.path);
    for (const rule of compiled) {
      if ((rule.methods === undefined || rule.methods.has(request.method)) && rule.matchesPath(path))
        return rule.requirement;
    }
    return undefined;
  };
}

function pathMatcher(match: RuleConfig['match']): (path: string) => boolean {
  const { prefix, path_separated_prefix: below, path: exact, safe_regex: regex } = match;
  if (prefix !== undefined) return (path) => path.startsWith(prefix);
  if (exact !== undefined) return (path) => path === exact;
  if (regex !== undefined) return (path) => regex.test(path);
  const parent = below!.endsWith('/') ? below!.slice(0, -1) : below!;
  return (path) => path.startsWith(parent) && (path.length === parent.length || path[parent.length] === '/');
}
