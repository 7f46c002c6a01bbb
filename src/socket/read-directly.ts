import { Socket } from 'node:net';

/** Told of what has arrived on a socket; the bytes are its own, and do not change afterwards. */
export type Reader = (bytes: Buffer) => void;

/** Bytes of one read at most, which is what Node.js reads at a time without us. */
const mostAtOnce = 64 * 1024;

/**
 * Where all sockets read to. What a read brought is copied out before anybody sees it: the next read, of whichever socket,
 * writes over it.
 */
const room = Buffer.allocUnsafeSlow(mostAtOnce);

/**
 * Few bytes, as nearly all heads have, are cut from pieces that they share; more get memory of their own. Whoever keeps a few for
 * long keeps a whole piece, so pieces are small.
 */
const piece = 8 * 1024;
const few = 2 * 1024;
let shared = Buffer.allocUnsafeSlow(piece);
let taken = 0;

/** What `onread` (see `net.connect`) has set on a socket once it is made; for sockets that were accepted there is no such option. */
interface OnRead {
  readonly buffer: symbol;
  readonly callback: symbol;
}

interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

type Internals = Socket & { readonly _handle?: Handle | null } & Record<symbol, unknown>;

const onRead = findOnRead();

/** Undefined in a Node.js that does this in another way: then sockets are read as streams. */
function findOnRead(): OnRead | undefined {
  const example = new Socket({ onread: { buffer: Buffer.alloc(1), callback: () => true } });
  const symbols = Object.getOwnPropertySymbols(example);
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')];
  return buffer === undefined || callback === undefined ? undefined : { buffer, callback };
}

/**
 * Reads a socket without a memory allocation of 64 KiB, an ArrayBuffer and the events of a stream for every read: measured, a tenth
 * of what an exchange costs. `pause`, `resume`, `unshift` and the end work as they do with a listener of 'data', which
 * `reader` is too.
 */
export function readDirectly(socket: Socket, reader: Reader): void {
  socket.on('data', reader);
  arrived(socket, (bytes) => {
    // What came before is still with the stream, or nobody wants anything now: the stream keeps it in order.
    if (socket.readableLength > 0 || socket.isPaused()) return socket.push(bytes);
    reader(bytes);
    return true;
  });
}

/** Undoes {@link readDirectly}: whoever gets the socket next reads it as a stream. */
export function readAsStream(socket: Socket, reader: Reader): void {
  socket.off('data', reader);
  if (onRead !== undefined && (socket as Internals)[onRead.buffer] === room)
    arrived(socket, (bytes) => socket.push(bytes));
}

/** @param take answers false when reading shall stop for now */
function arrived(socket: Socket, take: (bytes: Buffer) => boolean): void {
  const { _handle: handle } = socket as Internals;
  if (onRead === undefined || handle?.useUserBuffer === undefined) return;
  const internals = socket as Internals;
  internals[onRead.callback] = (length: number): boolean => {
    return take(copied(length));
  };
  if (internals[onRead.buffer] === room) return;
  internals[onRead.buffer] = room;
  handle.useUserBuffer(room);
}

/** What the last read brought. */
function copied(length: number): Buffer {
  const bytes = length > few ? Buffer.allocUnsafeSlow(length) : cut(length);
  room.copy(bytes, 0, 0, length);
  return bytes;
}

function cut(length: number): Buffer {
  if (taken + length > piece) {
    shared = Buffer.allocUnsafeSlow(piece);
    taken = 0;
  }
  taken += length;
  return shared.subarray(taken - length, taken);
}
