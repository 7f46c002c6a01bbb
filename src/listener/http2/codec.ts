import type { Socket } from 'node:net';
import type { Downstream } from '../../http/index.ts';
import type { Codec, CodecContext } from '../codec.ts';
import type { Closable } from '../idle-connections.ts';
import { Members } from '../members.ts';
import { Http2Connection } from './connection.ts';
import type { StreamExchange } from './stream-exchange.ts';

/** How often connections are looked at for deadlines, in milliseconds. */
const tick = 100;
/** Milliseconds between two looks that mean that the process did not run. */
const paused = 1000;

/** What the connections of one listener share. */
export interface Http2Context extends CodecContext {
  /** Milliseconds on a clock that is read once a tick; never behind by more than that. */
  now(): number;
  /** Value of the date field, made once a second (RFC 9110 §6.6.1). */
  date(): string;
  /** In the next round of the event loop: what came with the head, and whether it was reset, is known by then. */
  serveSoon(stream: StreamExchange): void;
  /** At the end of this round: what several streams have to say leaves in one write. */
  flushSoon(connection: Http2Connection): void;
}

/** HTTP/2 on bare sockets, over TLS or with prior knowledge, framed by Portico itself. */
export class Http2Codec implements Codec {
  readonly #connections = new Members<Http2Connection>();
  readonly #context: Http2Context;
  readonly #timer: NodeJS.Timeout;
  #begun: StreamExchange[] = [];
  #unflushed: Http2Connection[] = [];
  #scheduled = false;
  #now: number;
  #second = 0;
  #date = '';
  /** At the last look nobody was called late. */
  #excused = false;
  #draining = false;

  constructor(context: CodecContext) {
    this.#now = context.serve.clock.monotonic();
    this.#context = {
      ...context,
      now: () => this.#now,
      date: () => this.#dateValue(),
      serveSoon: (stream) => {
        this.#begun.push(stream);
        this.#schedule();
      },
      flushSoon: (connection) => {
        this.#unflushed.push(connection);
        this.#schedule();
      },
    };
    this.#timer = setInterval(() => this.#look(), tick).unref();
  }

  accept(socket: Socket, downstream: Downstream): void {
    const connection = new Http2Connection(socket, downstream, this.#context);
    socket.on('close', this.#connections.add(connection));
    if (this.#draining) connection.drain();
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
  }

  connections(): Iterable<Closable> {
    return this.#connections;
  }

  closeIdle(): void {
    for (const connection of this.#connections) connection.closeIfHeard();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.destroy();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const begun = this.#begun;
    const unflushed = this.#unflushed;
    if (begun.length > 0) {
      this.#begun = [];
      for (const stream of begun) stream.serve();
    }
    if (unflushed.length > 0) {
      this.#unflushed = [];
      for (const connection of unflushed) connection.flush();
    }
  };

  #look(): void {
    const before = this.#now;
    const now = (this.#now = this.#context.serve.clock.monotonic());
    // After a pause of the process what has arrived meanwhile is read first: it was not the clients who were late.
    this.#excused = now - before > paused && !this.#excused;
    if (this.#excused) return;
    for (const connection of this.#connections) connection.look(now);
    if (this.#context.serve.overload?.refusing === true)
      for (const connection of this.#connections) connection.closeIfIdle();
  }

  #dateValue(): string {
    const second = Math.floor(this.#context.serve.clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }
}
