import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** The proxy under examination. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** `http://127.0.0.1:8000` or `https://…`; undefined for what is neither. */
export function parseTarget(text: string): Target | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  const tls = url.protocol === 'https:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
  };
}

/** Whether the target is on this machine: what is sent to it may break it, and is an attack on anybody else's. */
export function isLoopback({ host }: Target): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** A connection that is being made. Certificates are not looked at: what is examined is behind them. */
export function connectTo({ host, port, tls }: Target): Socket {
  if (!tls) return connect(port, host);
  return connectTls({
    host,
    port,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
  });
}
