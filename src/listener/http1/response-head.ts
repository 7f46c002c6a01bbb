import type { Headers } from '../../http/index.ts';
import { renderFields } from '../../http1/index.ts';

/** How one response will be framed on an HTTP/1 connection (RFC 9112 §6). One place decides it. */
export interface ResponsePlan {
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly keepAlive: boolean;
}

const reasons: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
};

/** The status line of every status, made once. */
const statusLines: string[] = [];
for (let status = 100; status < 600; status++) statusLines[status] = `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n`;

/**
 * The head of a response as Latin-1 text, ended by the empty line.
 * @param length bytes of content when `plan.framing` is `length`
 * @param announced names of trailers to announce, only when it is `chunked`
 */
export function renderResponseHead(
  status: number,
  headers: Headers,
  plan: ResponsePlan,
  length: number,
  date: string,
  announced?: string,
): string {
  let text = statusLines[status]! + renderFields(headers.flat);
  if (!headers.has('date')) text += date;
  if (plan.framing === 'length') text += `Content-Length: ${length}\r\n`;
  else if (plan.framing === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (announced !== undefined) text += `Trailer: ${announced}\r\n`;
  return plan.keepAlive ? `${text}\r\n` : `${text}Connection: close\r\n\r\n`;
}

/** An interim response (RFC 9110 §15.2). */
export function renderInterim(status: number, headers: Headers | undefined): string {
  return `${statusLines[status]!}${headers === undefined ? '' : renderFields(headers.flat)}\r\n`;
}
