import type { Socket } from 'node:net';
import type { Downstream } from '../../http/index.ts';
import type { RequestHeadLimits } from '../../http1/index.ts';
import type { Codec, CodecContext } from '../codec.ts';
import type { ConnectionCut } from '../cut-connections.ts';
import type { Closable } from '../idle-connections.ts';
import { Members } from '../members.ts';
import { Http1Connection } from './connection.ts';

/** How often connections are looked at for deadlines, in milliseconds: a timer of their own each would cost more than it is worth. */
const tick = 100;
/** Milliseconds between two looks that mean that the process did not run. */
const paused = 1000;

/** What the connections of one listener share. */
export interface WireContext extends CodecContext {
  readonly limits: RequestHeadLimits & { readonly maxHeaderBytes: number };
  /** Milliseconds on a clock that is read once a tick; never behind by more than that. */
  now(): number;
  /** `date: …\r\n`, made once a second (RFC 9110 §6.6.1). */
  date(): string;
  /** Every answer from now on says that its connection ends. */
  draining(): boolean;
  /** Counts a connection that is closed without an answer. */
  cut(reason: ConnectionCut): void;
}

/** HTTP/1.0 and HTTP/1.1 on bare sockets, parsed and framed by Portico itself. */
export class Http1Codec implements Codec {
  readonly #connections = new Members<Http1Connection>();
  readonly #context: WireContext;
  readonly #timer: NodeJS.Timeout;
  #now: number;
  #second = 0;
  #date = '';
  #draining = false;
  /** At the last look nobody was called late. */
  #excused = false;

  constructor(context: CodecContext) {
    const { config, policy, serve } = context;
    const { overload } = serve;
    this.#now = serve.clock.monotonic();
    this.#context = {
      ...context,
      limits: {
        maxHeaderBytes: config.max_header_bytes,
        maxHeadersCount: policy.maxHeaders,
        maxUriBytes: policy.maxTarget,
        rejectUnderscores: policy.underscores === 'reject',
      },
      now: () => this.#now,
      date: () => this.#dateLine(),
      draining: () => this.#draining || overload?.shedding === true,
      cut: (reason) => context.cut?.(reason),
    };
    this.#timer = setInterval(() => this.#look(), tick).unref();
  }

  accept(socket: Socket, downstream: Downstream): void {
    const connection = new Http1Connection(socket, downstream, this.#context);
    socket.on('close', this.#connections.add(connection));
  }

  drain(): void {
    this.#draining = true;
  }

  connections(): Iterable<Closable> {
    return this.#connections;
  }

  closeIdle(): void {
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.destroy();
  }

  #look(): void {
    const before = this.#now;
    const now = (this.#now = this.#context.serve.clock.monotonic());
    // After a pause of the process what has arrived meanwhile is read first: it was not the clients who were late.
    this.#excused = now - before > paused && !this.#excused;
    if (this.#excused) return;
    for (const connection of this.#connections) connection.look(now);
    if (this.#context.serve.overload?.refusing === true) this.closeIdle();
  }

  #dateLine(): string {
    const second = Math.floor(this.#context.serve.clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}
