import type { Exchange, Request } from 'portico';
import { jwtClaims } from '../jwt-auth/claims-note.ts';
import { clientNetwork } from './client-network.ts';

/** Says whose bucket a request takes from. */
export type RequestKey = (request: Request, exchange: Exchange) => string;

/**
 * Compiles the option `key`. Parts are marked by their kind and joined by a newline, which no header value can hold and
 * JSON escapes, so no client can write itself into another one's bucket.
 * @param parts `client_address`, `route`, `header:<name>` or `claim:<name>`
 */
export function requestKey(parts: readonly string[], ipv6Prefix: number): RequestKey {
  const [first, ...others] = parts.map((part) => compilePart(part, ipv6Prefix));
  if (first === undefined) throw new Error('a key needs a part');
  if (others.length === 0) return first;
  return function combinedKey(request, exchange) {
    let key = first(request, exchange);
    for (const part of others) key += '\n' + part(request, exchange);
    return key;
  };
}

function compilePart(part: string, ipv6Prefix: number): RequestKey {
  const clientAddress: RequestKey = (_request, exchange) => '@' + clientNetwork(exchange.clientAddress, ipv6Prefix);
  if (part === 'client_address') return clientAddress;
  if (part === 'route') return (_request, exchange) => `${exchange.route.virtualHost}/${exchange.route.route}`;
  const name = part.slice(part.indexOf(':') + 1);
  const read = part.startsWith('claim:') ? claim(name) : header(name);
  // Who leaves it out must not be free of limits, nor drain one bucket with all others who do.
  return (request, exchange) => {
    const value = read(request, exchange);
    return value === undefined ? clientAddress(request, exchange) : '=' + value;
  };
}

type Read = (request: Request, exchange: Exchange) => string | undefined;

function header(name: string): Read {
  const lower = name.toLowerCase();
  if (lower === 'host') return (request) => request.authority.toLowerCase();
  return (request) => request.headers.get(lower) || undefined;
}

function claim(name: string): Read {
  const path = name.split('.');
  return (_request, exchange) => {
    const claims = exchange.get(jwtClaims);
    if (claims === undefined) return undefined;
    // Names of claims may hold dots themselves: https://example.com/tenant.
    const value = Object.hasOwn(claims, name) ? claims[name] : walk(claims, path);
    return value === undefined || value === null ? undefined : JSON.stringify(value);
  };
}

function walk(claims: unknown, path: readonly string[]): unknown {
  let value = claims;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}
