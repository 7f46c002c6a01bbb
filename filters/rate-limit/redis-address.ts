import { v } from 'portico';

/** Where a Redis is and who to be there. */
export interface RedisAddress {
  readonly host?: string;
  readonly port?: number;
  /** Unix socket. */
  readonly path?: string;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
}

/** Text such as `redis://redis:6379/0`; comes out as an address. */
export function redisUrl() {
  const message = 'must be a URL such as redis://redis:6379/0, rediss://redis:6380 or unix:/run/redis.sock';
  return v.pipe(
    v.string(message),
    v.rawTransform<string, RedisAddress>(({ dataset, addIssue, NEVER }) => {
      const address = redisAddress(dataset.value);
      if (address !== undefined) return address;
      // Without the text: it may hold a password.
      addIssue({ message });
      return NEVER;
    }),
    v.metadata({ format: 'uri' }),
  );
}

/**
 * Reads `redis://user:password@host:6379/0`, `rediss://…` or `unix:/run/redis.sock`; undefined when it is none of these.
 * ioredis has a reader of its own that takes nearly anything for a host name, and a typing error would show only at run time.
 */
export function redisAddress(text: string): RedisAddress | undefined {
  if (text.startsWith('unix:/')) return { path: text.slice('unix:'.length), tls: false };
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '')
    return undefined;
  if (url.search !== '' || url.hash !== '' || !/^(?:|\/\d{0,5})$/.test(url.pathname)) return undefined;
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === undefined || password === undefined) return undefined;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    tls: url.protocol === 'rediss:',
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(url.pathname.length > 1 && { db: Number(url.pathname.slice(1)) }),
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
