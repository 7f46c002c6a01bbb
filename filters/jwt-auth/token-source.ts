import type { Headers, Request } from 'portico';

/** One place of a request where a token may be. */
export interface TokenSource {
  find(request: Request): string | undefined | typeof ambiguous;
  /** Takes the token out, so that the app does not see it. */
  remove(request: Request): void;
}

/** More than one token: which of them the app would take, nobody knows (RFC 6750 §2). */
export const ambiguous = Symbol('more than one token');

/** The one token that the sources give; the same one in two places is one. */
export function findToken(sources: readonly TokenSource[], request: Request): string | undefined | typeof ambiguous {
  let found: string | undefined;
  for (const source of sources) {
    const token = source.find(request);
    if (token === undefined) continue;
    if (token === ambiguous || (found !== undefined && found !== token)) return ambiguous;
    found = token;
  }
  return found;
}

/** Takes a token out of every place where it was found. */
export function removeToken(sources: readonly TokenSource[], request: Request, token: string): void {
  if (sources.length === 1) sources[0]!.remove(request);
  else for (const source of sources) if (source.find(request) === token) source.remove(request);
}

/**
 * A header field. With a prefix such as `Bearer ` the value counts only if it starts so: in any case, and the space may be
 * several (RFC 9110 §11.1, §11.4). A value with another prefix holds no token; two lines are refused whatever they hold.
 */
export function fromHeader(name: string, prefix: string): TokenSource {
  const lower = name.toLowerCase();
  const scheme = prefix.trimEnd().toLowerCase();
  const spaced = scheme.length < prefix.length;
  return {
    find(request) {
      const value = onlyLine(request.headers, lower);
      if (value === undefined || value === ambiguous || scheme === '') return value;
      if (value.length < scheme.length || value.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
      let start = scheme.length;
      if (!spaced) return value.slice(start);
      const next = value.charCodeAt(start);
      // `Bearer` alone, or a tab behind it, is a broken token; `BearerX` is another scheme.
      if (next !== 0x20) return start === value.length || next === 0x09 ? value.slice(start) : undefined;
      while (value.charCodeAt(start) === 0x20) start++;
      return value.slice(start);
    },
    remove: (request) => void request.headers.delete(lower),
  };
}

function onlyLine(headers: Headers, lower: string): string | undefined | typeof ambiguous {
  const { flat } = headers;
  let value: string | undefined;
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at]!;
    if (name.length !== lower.length || (name !== lower && name.toLowerCase() !== lower)) continue;
    if (value !== undefined) return ambiguous;
    value = flat[at + 1]!;
  }
  return value;
}

/** A cookie. It is left in the request: the session of a browser is more than this proxy's business. */
export function fromCookie(name: string): TokenSource {
  return {
    find(request) {
      let found: string | undefined;
      for (const line of request.headers.getAll('cookie')) {
        for (const pair of line.split(';')) {
          const equals = pair.indexOf('=');
          if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
          const value = pair.slice(equals + 1).trim();
          if (found !== undefined && found !== value) return ambiguous;
          found = value;
        }
      }
      return found;
    },
    remove() {},
  };
}

/** A parameter of the query (RFC 6750 §2.3). URLs end up in logs and histories: only where nothing else works. */
export function fromParameter(name: string): TokenSource {
  return {
    find(request) {
      let found: string | undefined;
      for (const pair of queryPairs(request.path)) {
        if (pair.name !== name) continue;
        if (found !== undefined && found !== pair.value) return ambiguous;
        found = pair.value;
      }
      return found;
    },
    remove(request) {
      const query = request.path.indexOf('?');
      const kept = queryPairs(request.path).filter((pair) => pair.name !== name);
      const path = request.path.slice(0, query);
      request.path = kept.length === 0 ? path : `${path}?${kept.map((pair) => pair.raw).join('&')}`;
    },
  };
}

function queryPairs(target: string): { name: string; value: string; raw: string }[] {
  const query = target.indexOf('?');
  if (query < 0) return [];
  return target
    .slice(query + 1)
    .split('&')
    .map((raw) => {
      const equals = raw.indexOf('=');
      const name = equals < 0 ? raw : raw.slice(0, equals);
      // The value is not decoded: no character of a token needs it.
      return { name: decodeName(name), value: equals < 0 ? '' : raw.slice(equals + 1), raw };
    });
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
