import type { Socket } from 'node:net';
import { timeLimit } from '../http/index.ts';

/** RFC 9113 §3.4: how a client with prior knowledge begins. Its first line decides; no HTTP/1 method looks like it. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n');

/**
 * Looks at the first bytes of a plain connection and puts them back.
 * @param timeout milliseconds until a client that says nothing is cut off; 0 is never
 */
export function sniffProtocol(
  socket: Socket,
  timeout: number,
  found: (protocol: 'http1' | 'http2', first: Buffer) => void,
): void {
  const liftLimit = timeout > 0 ? timeLimit(timeout, () => socket.destroy()) : undefined;
  let seen: Buffer = Buffer.alloc(0);
  const stop = () => {
    liftLimit?.();
    socket.off('data', look);
    socket.off('close', stop);
    socket.off('end', ended);
  };
  const look = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, preface.length);
    const alike = seen.compare(preface, 0, compared, 0, compared) === 0;
    if (alike && compared < preface.length) return;
    stop();
    socket.pause();
    found(alike ? 'http2' : 'http1', seen);
  };
  const ended = () => {
    stop();
    socket.destroy();
  };
  socket.on('data', look);
  socket.on('close', stop);
  socket.on('end', ended);
}
