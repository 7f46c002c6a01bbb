import type { RedisOptions } from 'ioredis';
import type { RedisConfig } from './config.ts';

export type LimiterConnection = RedisOptions & { readonly replyMapping: 'legacy' };

/**
 * How to talk to Redis so that it never holds up a request for longer than its deadline and is back within a second.
 * @param ca PEM text of `trusted_ca`
 */
export function redisOptions(config: RedisConfig, ca: string | undefined): LimiterConnection {
  const { host, port, path, db, tls } = config.url;
  const username = config.username ?? config.url.username;
  const password = config.password ?? config.url.password;
  return {
    ...(path !== undefined ? { path } : { host: host!, port: port! }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(db !== undefined && { db }),
    ...(tls && { tls: { ...(ca !== undefined && { ca }) } }),
    connectionName: 'portico-rate-limit',
    replyMapping: 'legacy',
    lazyConnect: true,
    // A decision is for now: nothing waits for a connection, nothing is sent a second time.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: deadSilence,
    // A Redis that hangs: the connection is given up, with the commands that wait in it, and requests stop waiting.
    socketTimeout: Math.max(deadSilence, 2 * config.timeout),
    maxLoadingRetryTime: 250,
    retryStrategy: (attempt) => Math.min(50 * attempt, 250),
    // After a failover the old primary, now a replica, refuses writes: find the new one by connecting again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

/** Milliseconds without a byte after which a connection is taken for dead. */
const deadSilence = 500;
