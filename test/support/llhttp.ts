import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';

/** A request as llhttp reads it, the parser of Node.js: strict, and not ours. */
export interface LlhttpRequest {
  readonly method: string;
  readonly target: string;
  /** Names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly complete: boolean;
}

export interface LlhttpReading {
  readonly requests: readonly LlhttpRequest[];
  /** Its complaint, other than about a message that did not end. */
  readonly error: string | undefined;
}

/** Reads everything that came on one connection. */
export async function readWithLlhttp(bytes: Buffer): Promise<LlhttpReading> {
  const messages: { message: IncomingMessage; body: Buffer[] }[] = [];
  let error: string | undefined;
  let heard = 0;
  const server = createServer(
    { insecureHTTPParser: false, requireHostHeader: false, maxHeaderSize: 1024 * 1024 },
    (message) => {
      const body: Buffer[] = [];
      messages.push({ message, body });
      message.on('data', (chunk: Buffer) => body.push(chunk));
      for (const event of ['data', 'end', 'error']) message.on(event, () => heard++);
      // Never answered: Node.js throws away what is left of a message that has its answer.
    },
  );
  server.maxHeadersCount = 0;
  server.on('clientError', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'HPE_INVALID_EOF_STATE') error = `${code}: ${message}`;
  });
  await feed(server, bytes, () => messages.length + heard);
  return { requests: messages.map(({ message, body }) => requestOf(message, Buffer.concat(body))), error };
}

function requestOf({ method, url, rawHeaders, complete }: IncomingMessage, body: Buffer): LlhttpRequest {
  const fields: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) fields.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!]);
  return { method: method!, target: url!, fields, body, complete };
}

/** @param progress a number that changes while the messages are still being read */
async function feed(server: Server, bytes: Buffer, progress: () => number): Promise<void> {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  socket.on('error', () => {});
  server.emit('connection', socket);
  socket.push(bytes);
  // The messages' own streams speak in their own time; it is over when they are silent.
  for (let before = -1, quiet = 0; quiet < 6; quiet++) {
    if (progress() !== before) quiet = 0;
    before = progress();
    await new Promise((next) => setImmediate(next));
  }
  socket.destroy();
}
