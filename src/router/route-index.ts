import type { Request } from '../http/index.ts';
import type { MatchConfig } from './config.ts';
import { compileMatch, type Matcher } from './match.ts';

interface Entry<T> {
  readonly order: number;
  readonly matches: Matcher;
  readonly value: T;
}

interface Node<T> {
  /** In the order of configuration. */
  readonly entries: Entry<T>[];
  readonly children: Map<string, Node<T>>;
}

/**
 * The routes of one virtual host. The first in order wins, yet few are looked at: each hangs in a tree of path segments
 * at the deepest segment that every path it matches must have, and a lookup meets only those along its own path.
 */
export class RouteIndex<T> {
  readonly #root: Node<T> = { entries: [], children: new Map() };

  constructor(routes: readonly { readonly match: MatchConfig; readonly value: T }[]) {
    for (const [order, { match, value }] of routes.entries()) {
      let node = this.#root;
      for (const segment of certainSegments(match)) {
        let child = node.children.get(segment);
        if (child === undefined) node.children.set(segment, (child = { entries: [], children: new Map() }));
        node = child;
      }
      node.entries.push({ order, matches: compileMatch(match), value });
    }
  }

  /** @param path the request's path without its query */
  find(request: Request, path: string): T | undefined {
    let node: Node<T> | undefined = this.#root;
    let best: Entry<T> | undefined;
    for (let at = 1; ;) {
      best = firstMatch(node.entries, best, request, path);
      if (node.children.size === 0 || at > path.length || path[0] !== '/') break;
      const slash = path.indexOf('/', at);
      const end = slash < 0 ? path.length : slash;
      node = node.children.get(path.slice(at, end));
      if (node === undefined) break;
      at = end + 1;
    }
    return best?.value;
  }
}

function firstMatch<T>(
  entries: readonly Entry<T>[],
  best: Entry<T> | undefined,
  request: Request,
  path: string,
): Entry<T> | undefined {
  for (const entry of entries) {
    if (best !== undefined && entry.order > best.order) return best;
    if (entry.matches(request, path)) return entry;
  }
  return best;
}

/** The leading segments that every path which matches must have. */
function certainSegments(match: MatchConfig): string[] {
  if (!match.case_sensitive || match.path === '*') return [];
  const whole = match.path ?? match.path_separated_prefix;
  if (whole !== undefined) return whole.slice(1).split('/');
  // The last segment of a prefix may be only the beginning of one.
  return match.prefix === undefined ? [] : match.prefix.slice(1).split('/').slice(0, -1);
}
