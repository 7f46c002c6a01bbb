import { hostname } from 'node:os';
import { isToken, responseFlags, type Exchange, type Headers, type ResponseFlag } from '../http/index.ts';
import type { ReadValue, Value } from './value.ts';
import { compileTimeFormat, isoTime } from './time-format.ts';

/** What the whole format has decided for its operators. */
export interface OperatorOptions {
  /** Hides secrets in a path or URL. */
  readonly redact: (target: string) => string;
}

/** A command operator: `%NAME%` or `%NAME(argument)%`. */
export interface Operator {
  /** What goes between the parentheses, and behind them: `(X?Y):Z`. */
  readonly takes: string;
  /** One sentence for the reference. */
  readonly doc: string;
  /** @throws Error when the argument is wrong */
  readonly compile: (argument: string, options: OperatorOptions) => ReadValue;
  readonly argument: 'none' | 'optional' | 'required';
}

/**
 * Envoy's command operators, as far as an exchange knows the answer. What a name means here is what it means there, so
 * that dashboards and parsers go on working; sizes are bytes of content, durations whole milliseconds.
 */
export const operators: Readonly<Record<string, Operator>> = {
  REQ: withArgument(
    '(X?Y):Z',
    'Request header X, else Y, at most Z characters; also :METHOD, :PATH, :AUTHORITY, :SCHEME and X-ENVOY-ORIGINAL-PATH (the path before rewrites).',
    (argument, options) => eitherOf(argument, (name) => requestField(name, options)),
  ),
  RESP: withArgument('(X?Y):Z', 'Response header X, else Y, at most Z characters; also :STATUS.', (argument, options) =>
    eitherOf(argument, (name) => responseField(name, options)),
  ),
  START_TIME: {
    takes: '(format)',
    doc: 'When the request began, in UTC: ISO 8601 with milliseconds, or a strftime format such as %Y-%m-%d %H:%M:%S.%3f (%s: Unix seconds).',
    argument: 'optional',
    compile(argument) {
      const format = argument === '' ? isoTime() : compileTimeFormat(argument);
      return (exchange) => format(exchange.startTime);
    },
  },
  DURATION: plain('Milliseconds from the start of the request to the last byte of the response.', (exchange) =>
    milliseconds(exchange.duration),
  ),
  REQUEST_DURATION: plain('Milliseconds from the start of the request until all of it was received.', (exchange) =>
    milliseconds(exchange.requestDuration),
  ),
  RESPONSE_DURATION: plain(
    'Milliseconds from the start of the request until the head of the response was sent.',
    (exchange) => milliseconds(exchange.responseDuration),
  ),
  RESPONSE_TX_DURATION: plain(
    'Milliseconds from the head to the last byte of the response.',
    ({ duration, responseDuration }) =>
      duration === undefined || responseDuration === undefined ? undefined : milliseconds(duration - responseDuration),
  ),
  BYTES_RECEIVED: plain('Bytes of request content received from the client.', (exchange) => exchange.bytesReceived),
  BYTES_SENT: plain('Bytes of response content sent to the client.', (exchange) => exchange.bytesSent),
  PROTOCOL: plain('HTTP/1.0, HTTP/1.1 or HTTP/2.', (exchange) => exchange.protocol),
  RESPONSE_CODE: plain(
    'Status of the response; 0 when the client got none.',
    (exchange) => exchange.response?.status ?? 0,
  ),
  RESPONSE_CODE_DETAILS: plain(
    'Why the status is what it is: via_upstream, or the reason of a local reply.',
    (exchange) => unlessEmpty(exchange.responseCodeDetails),
  ),
  RESPONSE_FLAGS: plain('Response flags such as UF,URX, or unset when all went well.', (exchange) =>
    showFlags(exchange.responseFlags),
  ),
  ROUTE_NAME: plain('Name of the matched route.', (exchange) => unlessEmpty(exchange.route.route)),
  VIRTUAL_HOST_NAME: plain('Name of the matched virtual host.', (exchange) => unlessEmpty(exchange.route.virtualHost)),
  UPSTREAM_CLUSTER: plain('Name of the cluster that was asked.', (exchange) => exchange.upstream?.cluster),
  UPSTREAM_HOST: plain('address:port of the last endpoint tried.', (exchange) => exchange.upstream?.endpoint),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain(
    'Number of tries; 0 when the app was not asked.',
    (exchange) => exchange.upstream?.attempts ?? 0,
  ),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain('Why the last try failed.', (exchange) => exchange.upstream?.failure),
  UPSTREAM_SERVICE_TIME: plain(
    'Milliseconds from the first try to the head of the final response of the app.',
    (exchange) => milliseconds(exchange.upstream?.serviceTime),
  ),
  DOWNSTREAM_REMOTE_ADDRESS: plain(
    'Address of the client with port; as told by trusted proxies, and then with port 0.',
    ({ clientAddress, downstream }) =>
      showHostPort(clientAddress, clientAddress === downstream.remoteAddress ? downstream.remotePort : 0),
  ),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain(
    'Address of the client, as told by trusted proxies.',
    (exchange) => exchange.clientAddress,
  ),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain(
    'Address and port of the connection, whatever proxies in front say.',
    ({ downstream }) => showHostPort(downstream.remoteAddress, downstream.remotePort),
  ),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain(
    'Address of the connection, whatever proxies in front say.',
    ({ downstream }) => downstream.remoteAddress,
  ),
  DOWNSTREAM_LOCAL_ADDRESS: plain('Address and port on which the connection was accepted.', ({ downstream }) =>
    showHostPort(downstream.localAddress, downstream.localPort),
  ),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain(
    'Address on which the connection was accepted.',
    ({ downstream }) => downstream.localAddress,
  ),
  DOWNSTREAM_LOCAL_PORT: plain('Port on which the connection was accepted.', ({ downstream }) => downstream.localPort),
  DOWNSTREAM_TLS_VERSION: plain('TLS version of the connection.', ({ downstream }) => downstream.tls?.version),
  DOWNSTREAM_TLS_CIPHER: plain('TLS cipher of the connection.', ({ downstream }) => downstream.tls?.cipher),
  DOWNSTREAM_PEER_SUBJECT: plain(
    'Subject of the verified client certificate.',
    ({ downstream }) => downstream.tls?.peerSubject,
  ),
  REQUESTED_SERVER_NAME: plain(
    'Server name (SNI) that the client asked for.',
    ({ downstream }) => downstream.tls?.serverName,
  ),
  CONNECTION_ID: plain('Number of the connection within this process.', ({ downstream }) => downstream.connectionId),
  HOSTNAME: {
    takes: '',
    doc: 'Name of the machine or pod.',
    argument: 'none',
    compile() {
      const name = hostname();
      return () => name;
    },
  },
  ENVIRONMENT: withArgument('(X):Z', 'Environment variable X, read when the configuration is loaded.', (argument) => {
    const value = process.env[argument];
    return () => value;
  }),
};

function plain(doc: string, read: ReadValue): Operator {
  return { takes: '', doc, argument: 'none', compile: () => read };
}

function withArgument(takes: string, doc: string, compile: Operator['compile']): Operator {
  return { takes, doc, argument: 'required', compile };
}

/** `X?Y`: the first one that is there. */
function eitherOf(argument: string, read: (name: string) => ReadValue): ReadValue {
  const names = argument.split('?');
  if (names.length > 2) throw new Error(`takes one header and one alternative (X?Y), not ${JSON.stringify(argument)}`);
  for (const name of names) {
    if (!isToken(name.replace(/^:/, '')))
      throw new Error(`needs a header name such as x-request-id, not ${JSON.stringify(name)}`);
  }
  const main = read(names[0]!.toLowerCase());
  if (names.length === 1) return main;
  const alternative = read(names[1]!.toLowerCase());
  return (exchange) => main(exchange) ?? alternative(exchange);
}

function requestField(name: string, { redact }: OperatorOptions): ReadValue {
  switch (name) {
    case ':method':
      return (exchange) => exchange.request.method;
    case ':path':
      return (exchange) => redact(exchange.request.path);
    case 'x-envoy-original-path':
      return (exchange) => redact(exchange.originalPath);
    case ':authority':
    case 'host':
      return (exchange) => exchange.request.authority;
    case ':scheme':
      return (exchange) => exchange.request.scheme;
  }
  if (name.startsWith(':')) throw new Error(`knows :METHOD, :PATH, :AUTHORITY and :SCHEME, not ${name.toUpperCase()}`);
  return field(name, (exchange) => exchange.request.headers, name === 'referer' ? redact : undefined);
}

function responseField(name: string, { redact }: OperatorOptions): ReadValue {
  if (name === ':status') return (exchange) => exchange.response?.status;
  if (name.startsWith(':')) throw new Error(`knows :STATUS, not ${name.toUpperCase()}`);
  const read = field(name, (exchange) => exchange.response?.headers, name === 'location' ? redact : undefined);
  if (name !== 'x-envoy-upstream-service-time') return read;
  return (exchange) => read(exchange) ?? milliseconds(exchange.upstream?.serviceTime);
}

function field(
  name: string,
  headersOf: (exchange: Exchange) => Headers | undefined,
  redact: ((target: string) => string) | undefined,
): ReadValue {
  if (redact === undefined) return (exchange) => headersOf(exchange)?.get(name);
  return (exchange) => {
    const value = headersOf(exchange)?.get(name);
    return value === undefined ? undefined : redact(value);
  };
}

function milliseconds(duration: number | undefined): Value {
  return duration === undefined ? undefined : Math.round(duration);
}

function unlessEmpty(text: string): Value {
  return text === '' ? undefined : text;
}

const flagOrder = Object.keys(responseFlags) as ResponseFlag[];

function showFlags(flags: readonly ResponseFlag[]): Value {
  if (flags.length <= 1) return flags[0];
  return flagOrder.filter((flag) => flags.includes(flag)).join(',');
}

function showHostPort(address: string, port: number): string {
  if (address === 'unix' || address.startsWith('/')) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
