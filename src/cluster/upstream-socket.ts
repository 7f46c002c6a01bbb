/** Opens sockets to endpoints. The one file that understands the error codes of Node and OpenSSL. */
import net from 'node:net';
import tls from 'node:tls';
import { timeLimit, UpstreamError } from '../http/index.ts';

/** Where a socket can be opened to. */
export type SocketTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp';
      /** The name that was resolved, or the address itself. TLS verifies it. */
      readonly host: string;
      /** At least one address; with several, the next one is tried when one does not answer (RFC 8305). */
      readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
      readonly port: number;
    };

export interface SocketTls {
  readonly secureContext: tls.SecureContext;
  readonly sni: string | undefined;
  readonly verify: boolean;
}

export interface SocketOptions {
  /** `address:port`, for errors. */
  readonly endpoint: string;
  /** Milliseconds until the socket must be usable, TLS handshake included. */
  readonly connectTimeout: number;
  readonly tls: SocketTls | undefined;
  /** What TLS offers to speak (RFC 7301). Default: HTTP/1.1. */
  readonly alpn?: readonly string[];
}

/**
 * Opens a socket. `done` is called once, later, unless the function returned is called before: that gives up.
 * The socket has an error handler, which only keeps the process alive: whoever gets it listens for himself.
 */
export function openSocket(
  target: SocketTarget,
  options: SocketOptions,
  done: (error: UpstreamError | undefined, socket: net.Socket | undefined) => void,
): () => void {
  const tcp = net.connect(connectOptions(target));
  let socket = tcp;
  let settled = false;
  const liftLimit = timeLimit(options.connectTimeout, () => fail('connect_timeout', undefined));

  function settle(): boolean {
    if (settled) return false;
    settled = true;
    liftLimit();
    return true;
  }
  function fail(reason: string, cause: unknown): void {
    if (!settle()) return;
    socket.destroy();
    tcp.destroy();
    const details = `upstream_connect_failure{${reason}}`;
    done(new UpstreamError(503, 'UF', details, { untouched: true, endpoint: options.endpoint, cause }), undefined);
  }
  function succeed(): void {
    if (settle()) done(undefined, socket);
  }

  tcp.on('error', (error) => fail(connectReason(error), error));
  tcp.on('close', () => fail('connection_closed', undefined));
  tcp.once('connect', () => {
    if (settled) return;
    if (options.tls === undefined) return succeed();
    try {
      socket = tls.connect(tlsOptions(tcp, target, options.tls, options.alpn ?? ['http/1.1']));
    } catch (error) {
      return fail('tls_setup', error);
    }
    socket.on('error', (error) => fail(tlsReason(error), error));
    socket.on('close', () => fail('tls_handshake_closed', undefined));
    socket.once('secureConnect', succeed);
  });

  return () => {
    if (!settle()) return;
    socket.destroy();
    tcp.destroy();
  };
}

function connectOptions(target: SocketTarget): net.NetConnectOpts {
  if (target.kind === 'unix') return { path: target.path };
  const { addresses, port } = target;
  const common = { port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  if (addresses.length === 1) return { ...common, host: addresses[0]!.address };
  return {
    ...common,
    host: target.host,
    autoSelectFamily: true,
    lookup: (_host, _options, callback) => callback(null, [...addresses]),
  };
}

function tlsOptions(
  tcp: net.Socket,
  target: SocketTarget,
  settings: SocketTls,
  alpn: readonly string[],
): tls.ConnectionOptions {
  const host = target.kind === 'tcp' ? target.host : 'localhost';
  // RFC 6066 §3: an address is not a server name; the certificate is checked against it all the same.
  const servername = settings.sni ?? (net.isIP(host) === 0 ? host : '');
  return {
    socket: tcp,
    host,
    servername,
    secureContext: settings.secureContext,
    rejectUnauthorized: settings.verify,
    ALPNProtocols: [...alpn],
  };
}

const connectReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  ETIMEDOUT: 'connect_timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  EADDRNOTAVAIL: 'address_not_available',
  ENOENT: 'socket_missing',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EMFILE: 'too_many_open_files',
  ENFILE: 'too_many_open_files',
  ENOBUFS: 'no_buffers',
};

/** Nobody listens there: the app is not running, and nothing was sent. */
export function isRefusal({ flag, details }: UpstreamError): boolean {
  return flag === 'UF' && refusals.has(details);
}

const refusals = new Set(
  ['connection_refused', 'socket_missing'].map((reason) => `upstream_connect_failure{${reason}}`),
);

function connectReason(error: Error): string {
  const code = codeOf(error);
  return connectReasons[code] ?? snake(code);
}

/** `CERT_HAS_EXPIRED` → `tls_cert_has_expired`, `ERR_TLS_CERT_ALTNAME_INVALID` → `tls_cert_altname_invalid`. */
function tlsReason(error: Error): string {
  const code = codeOf(error);
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'tls_handshake_closed';
  return `tls_${snake(code.replace(/^ERR_(?:TLS|SSL)_/, ''))}`;
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : 'unknown';
}

function snake(code: string): string {
  return code.toLowerCase().replace(/[^a-z0-9]+/g, '_');
}

/** Why an exchange on an open connection failed. */
export type ExchangeFailure =
  /** The connection ended or was reset. */
  | { readonly kind: 'reset'; readonly cause: Error }
  /** What the app sent is not an HTTP/1.1 response. */
  | { readonly kind: 'protocol'; readonly reason: string; readonly cause: Error }
  /** The request could not be sent whole: the client broke off, or a filter failed. */
  | { readonly kind: 'request_body'; readonly cause: Error };

/** Names a failure of a request that waited for its response head. */
export function beforeResponse(
  failure: ExchangeFailure,
  facts: { readonly endpoint: string; readonly reused: boolean; readonly untouched: boolean },
): UpstreamError {
  const { endpoint, untouched, reused } = facts;
  const options = { endpoint, untouched, cause: failure.cause };
  switch (failure.kind) {
    case 'reset':
      return new UpstreamError(502, 'UC', `upstream_reset_before_response${reused ? '{reused}' : ''}`, options);
    case 'protocol':
      return new UpstreamError(502, 'UPE', `upstream_protocol_error{${failure.reason}}`, {
        ...options,
        untouched: false,
      });
    case 'request_body':
      return new UpstreamError(503, 'DC', 'downstream_request_incomplete', options);
  }
}

/** Names a failure that broke a response after its head. */
export function duringResponse(failure: ExchangeFailure, endpoint: string): UpstreamError {
  const options = { endpoint, untouched: false, cause: failure.cause };
  switch (failure.kind) {
    case 'reset':
      return new UpstreamError(502, 'UC', 'upstream_reset_after_response_started', options);
    case 'protocol':
      return new UpstreamError(502, 'UPE', `upstream_protocol_error{${failure.reason}}`, options);
    case 'request_body':
      return new UpstreamError(503, 'DC', 'downstream_request_incomplete', options);
  }
}

/** What an error of `http.request` means. */
export function requestFailure(error: Error): ExchangeFailure {
  const code = codeOf(error);
  if (code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE') {
    const reason = code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : snake(code.slice('HPE_'.length));
    return { kind: 'protocol', reason, cause: error };
  }
  if (code.startsWith('ERR_')) return { kind: 'protocol', reason: 'unsendable_request', cause: error };
  return { kind: 'reset', cause: error };
}
