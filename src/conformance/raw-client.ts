import { connect, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What a client saw of one connection. */
export interface Seen {
  /** Status and content of every message, interim ones included, in order. */
  readonly messages: readonly {
    readonly status: number;
    readonly head: string;
    readonly body: string;
    readonly complete: boolean;
  }[];
  /** The server ended the connection. */
  readonly closed: boolean;
  readonly raw: string;
  /** Why there was no connection at all. */
  readonly unreachable: Error | undefined;
}

export interface ExchangeOptions {
  /** Milliseconds of silence after which nothing more is expected. */
  readonly quiet?: number;
  /** The answers are to HEAD and have no content. */
  readonly heads?: boolean;
  /** Where it is known what comes: final answers, and whether the connection ends. Silence counts only after that. */
  readonly expected?: { readonly answers: number; readonly closed: boolean };
}

/** Milliseconds in which a connection must come about, and in which the next piece of what is expected must come. */
const patience = 5000;

/** Sends bytes to a port of this machine; see {@link exchangeOn}. */
export function exchangeBytes(port: number, pieces: readonly Buffer[], options?: ExchangeOptions): Promise<Seen> {
  return exchangeOn(connect(port, '127.0.0.1'), pieces, options);
}

/** Sends bytes on a socket that is connecting, and listens until the server closes or is silent for `quiet` milliseconds. */
export async function exchangeOn(
  socket: Socket,
  pieces: readonly Buffer[],
  { quiet = 120, heads = false, expected }: ExchangeOptions = {},
): Promise<Seen> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    let closed = false;
    let connected = false;
    let unreachable: Error | undefined;
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const raw = Buffer.concat(received).toString('latin1');
      resolve({ messages: parseResponses(raw, closed, heads), closed, raw, unreachable });
    };
    let timer = setTimeout(() => {
      unreachable = new Error(`no connection within ${patience} ms`);
      done();
    }, patience);
    const outstanding = () => {
      if (expected === undefined) return false;
      if (expected.closed) return true;
      const raw = Buffer.concat(received).toString('latin1');
      const answers = parseResponses(raw, closed, heads).filter(({ status, complete }) => status >= 200 && complete);
      return answers.length < expected.answers;
    };
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(done, outstanding() ? patience : quiet);
    };
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      if (!connected) unreachable = error;
    });
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      wait();
    });
    socket.on('end', () => (closed = true));
    socket.on('close', () => {
      closed = true;
      done();
    });
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
      connected = true;
      wait();
      void (async () => {
        for (const piece of pieces) {
          if (socket.destroyed) return;
          socket.write(piece);
          if (pieces.length > 1) await new Promise((next) => setImmediate(next));
        }
      })();
    });
  });
}

function parseResponses(raw: string, closed: boolean, headsOnly: boolean): Seen['messages'] {
  const messages: { status: number; head: string; body: string; complete: boolean }[] = [];
  let rest = raw;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const line = /^HTTP\/1\.[01] (\d{3}) ?[^\r\n]*\r\n/.exec(rest);
    if (end < 0 || line === null) {
      messages.push({ status: 0, head: '', body: rest, complete: false });
      return messages;
    }
    const head = rest.slice(0, end + 2);
    const status = Number(line[1]);
    rest = rest.slice(end + 4);
    const length = /^content-length: *(\d+)\r$/im.exec(head)?.[1];
    if (status < 200 || status === 204 || status === 304 || headsOnly)
      messages.push({ status, head, body: '', complete: true });
    else if (length !== undefined) {
      messages.push({ status, head, body: rest.slice(0, Number(length)), complete: rest.length >= Number(length) });
      rest = rest.slice(Number(length));
    } else if (/^transfer-encoding: *chunked\r$/im.test(head)) {
      let body = '';
      let complete = false;
      for (;;) {
        const size = /^([0-9a-f]+)\r\n/i.exec(rest);
        if (size === null) break;
        rest = rest.slice(size[0].length);
        const bytes = Number.parseInt(size[1]!, 16);
        if (bytes === 0) {
          const trailerEnd = rest.startsWith('\r\n') ? 2 : rest.indexOf('\r\n\r\n') + 4;
          complete = trailerEnd >= 2 && rest.length >= trailerEnd;
          rest = rest.slice(trailerEnd);
          break;
        }
        body += rest.slice(0, bytes);
        rest = rest.slice(bytes + 2);
      }
      messages.push({ status, head, body, complete });
      if (!complete) return messages;
    } else {
      messages.push({ status, head, body: rest, complete: closed });
      return messages;
    }
  }
  return messages;
}
