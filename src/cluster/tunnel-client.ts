import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { readGarbage } from '../http/index.ts';
import { goingAway, WebSocketFrames } from './websocket-frames.ts';

/**
 * Stands before the client's socket while a tunnel is being set up, because http-proxy-3 destroys the socket that it is
 * given at the first fault. Until `open` nothing is written to the client and nothing done to its socket; a failed try
 * gives it back as it was.
 */
export class TunnelClient extends Duplex {
  readonly #client: Duplex;
  #state: 'held' | 'open' | 'let go' = 'held';
  #agreed = false;
  /** The first thing written is the response head, which is not content. */
  #headWritten = false;
  #drained: (() => void) | undefined;
  /** Of what goes to the client, when that is a WebSocket. */
  #frames: WebSocketFrames | undefined;
  /** `asked`: goodbye is to be said behind the frame that is under way. `said`: nothing goes to the client any more. */
  #goodbye: 'no' | 'asked' | 'said' = 'no';
  /** Bytes of content that came from, and went to, the client. */
  bytesReceived: number;
  bytesSent = 0;

  constructor(client: Duplex, head: Uint8Array) {
    super();
    this.#client = client;
    this.bytesReceived = head.byteLength;
    if (head.byteLength > 0) this.push(head);
    client.on('data', this.#onData);
    client.on('end', this.#onEnd);
    client.on('drain', this.#onDrain);
    client.on('error', this.#onGone);
    client.on('close', this.#onGone);
    // Read from the start: only who reads notices that the client leaves.
    client.resume();
    if (client.destroyed) this.destroy();
  }

  /**
   * From now on bytes reach the client, and its socket shares the fate of the tunnel.
   * @param agreed false for an ordinary answer, which is nobody's when the client has ended
   */
  open({ agreed = true, websocket = false } = {}): void {
    if (this.#state !== 'held') return;
    this.#state = 'open';
    this.#agreed = agreed;
    if (websocket) this.#frames = new WebSocketFrames();
    if (this.#client instanceof Socket) this.#client.setTimeout(0).setNoDelay(true).setKeepAlive(true, 60_000);
  }

  /**
   * Tells the client of a WebSocket to go (1001), as soon as the frame that is under way has ended. Its own Close still
   * reaches the app, which then ends the tunnel.
   */
  sayGoodbye(): void {
    if (this.#state !== 'open' || this.#frames === undefined || this.#goodbye !== 'no') return;
    this.#goodbye = 'asked';
    if (this.#headWritten && this.#frames.betweenFrames) this.#sayGoodbye();
  }

  #sayGoodbye(): void {
    this.#goodbye = 'said';
    if (!this.#client.destroyed && !this.#client.writableEnded) this.#client.write(goingAway);
  }

  /** Gives the socket back. What http-proxy-3 still does to this stand-in does not reach it. */
  letGo(): void {
    if (this.#state !== 'held') return;
    this.#state = 'let go';
    this.#detach();
    this.#client.pause();
    this.destroy();
  }

  /** Ends politely, then closes. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }

  // What http-proxy-3 does to a socket at the start; `open` has its own mind.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    if (this.#state !== 'let go') this.#client.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#state !== 'open' || this.#client.destroyed) return callback();
    if (this.#goodbye === 'said') return callback();
    const end = this.#headWritten ? (this.#frames?.pass(chunk) ?? -1) : -1;
    const last = this.#goodbye === 'asked' && end >= 0;
    const bytes = last ? chunk.subarray(0, end) : chunk;
    if (this.#headWritten) this.bytesSent += bytes.byteLength;
    readGarbage.add(bytes.byteLength);
    this.#headWritten = true;
    if (this.#client.write(bytes)) callback();
    else this.#drained = callback;
    if (last) this.#sayGoodbye();
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#state !== 'open' || this.#client.destroyed) return callback();
    this.#client.end(() => callback());
  }

  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    this.#onDrain();
    if (this.#state === 'open') this.#client.destroy();
    // The socket has told its error to its owner; here it would only be heard by http-proxy-3, which is told by `close`.
    callback(null);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytesReceived += chunk.byteLength;
    readGarbage.add(chunk.byteLength);
    if (!this.push(chunk)) this.#client.pause();
  };
  readonly #onEnd = (): void => {
    // In a tunnel a side may end before the other. A client that ends without there being one has left.
    if (this.#agreed) this.push(null);
    else this.destroy();
  };
  readonly #onDrain = (): void => {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  };
  readonly #onGone = (): void => {
    this.destroy();
  };

  #detach(): void {
    const client = this.#client;
    client.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain);
    client.off('error', this.#onGone).off('close', this.#onGone);
  }
}
