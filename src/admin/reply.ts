export interface AdminRequest {
  /** HEAD arrives as GET; the admin leaves the body out by itself. */
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  /** By name in lower case, all values of each. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  /** At most 64 KiB. */
  readonly body: Uint8Array;
}

export interface AdminReply {
  readonly status: number;
  readonly contentType: string;
  /** Where it is large, chunks that are made as they are sent. */
  readonly body: string | Iterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

export function text(body: string, status = 200): AdminReply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

export function json(value: unknown, status = 200): AdminReply {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}
