import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { codeOf, frame, has, preface, readFrames, statusOf, type Frame } from './h2-frames.ts';

/** A client that speaks HTTP/2 frame by frame, and keeps what comes back. */
export class FrameClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  /** The server has ended the connection. */
  closed = false;
  /** Resolves when it has. */
  readonly ended: Promise<void>;
  #unread: Buffer = Buffer.alloc(0);
  #changed: () => void = () => {};

  /** @param socket a connection that is being made */
  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const { frames, rest } = readFrames(Buffer.concat([this.#unread, chunk]));
      this.#unread = rest;
      this.frames.push(...frames);
      this.#changed();
    });
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.closed = true;
        this.#changed();
        resolve();
      };
      socket.on('end', end);
      socket.on('close', end);
    });
  }

  /** The preface, settings and frames, in one write. */
  begin(settings: Uint8Array, ...frames: readonly Buffer[]): this {
    return this.write(preface, frame('SETTINGS', 0, [], settings), ...frames);
  }

  write(...frames: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  /** Waits until something has come to be so. @throws Error when the connection ends before */
  async until(done: (client: this) => boolean): Promise<void> {
    while (!done(this)) {
      if (this.closed) throw new Error(`closed after ${this.saw().join(', ')}`);
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  /** Waits for silence of so many milliseconds, or the end. */
  async quiet(milliseconds: number): Promise<void> {
    if (this.socket.connecting || (this.socket instanceof TLSSocket && this.socket.getProtocol() === null)) {
      await new Promise<void>((resolve) => {
        this.socket.once(this.socket instanceof TLSSocket ? 'secureConnect' : 'connect', resolve);
        this.socket.once('close', resolve);
      });
    }
    while (!this.closed) {
      const spoke = new Promise<true>((resolve) => (this.#changed = () => resolve(true)));
      let timer: NodeJS.Timeout | undefined;
      const silent = new Promise<false>((resolve) => (timer = setTimeout(resolve, milliseconds, false)));
      const more = await Promise.race([spoke, silent]);
      clearTimeout(timer);
      if (!more) return;
    }
  }

  /** What came for one stream, or for all, in the words of the case files. */
  saw(stream?: number): string[] {
    return this.frames.flatMap((one) => {
      if (one.type === 'GOAWAY') return [`GOAWAY ${codeOf(one)}`];
      if (stream !== undefined && one.stream !== stream) return [];
      if (one.type === 'RST_STREAM') return [`RST ${codeOf(one)}`];
      if (one.type !== 'HEADERS') return [];
      const status = statusOf(one);
      return status === undefined ? [] : [`${status}${this.#detailsOf(one, status)}`];
    });
  }

  /** The content of the answer on a stream. */
  content(stream: number): Buffer {
    const parts = this.frames.filter((one) => one.type === 'DATA' && one.stream === stream);
    return Buffer.concat(parts.map(({ payload }) => payload));
  }

  /** The answer on a stream has come to its end. */
  answered(stream: number): boolean {
    return this.frames.some((one) => one.stream === stream && has(one, 'END_STREAM') && one.type !== 'SETTINGS');
  }

  /** Name of a local reply, which is its content. */
  #detailsOf({ stream }: Frame, status: number): string {
    const content = this.content(stream).toString('latin1');
    return status >= 400 && /^[\w{}-]+\n$/.test(content) ? ` ${content.trim()}` : '';
  }
}
