import type { Socket } from 'node:net';
import {
  isLocalReply,
  type Body,
  type BodySink,
  type Exchange,
  type Headers,
  type Response,
} from '../../http/index.ts';
import type { ResponseWriter } from '../response-writer.ts';
import type { Watch } from '../watch.ts';
import { asLatin1, oneWrite } from '../../http1/index.ts';
import { renderInterim, renderResponseHead, type ResponsePlan } from './response-head.ts';

/** What a writer must know of the turn that it writes for. */
export interface WriterHost {
  readonly http11: boolean;
  /** 103 is passed on. */
  readonly earlyHints: boolean;
  /** `date: …\r\n` (RFC 9110 §6.6.1). */
  date(): string;
  /** Whether the connection may go on; asked when the head is written. */
  mayKeepAlive(): boolean;
  /** Milliseconds since the exchange began. */
  elapsed(): number;
}

const continueBytes = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** Writes one response onto a socket, in as few writes as there are pieces. */
export class Http1Writer implements ResponseWriter, BodySink {
  readonly #socket: Socket;
  readonly #exchange: Exchange;
  readonly #watch: Watch;
  readonly #host: WriterHost;
  #state: 'waiting' | 'writing' | 'complete' | 'broken' = 'waiting';
  #plan: ResponsePlan = { framing: 'none', keepAlive: false };
  #body: Body | undefined;
  #settle: (failure: Error | undefined) => void = nobody;

  constructor(socket: Socket, exchange: Exchange, watch: Watch, host: WriterHost) {
    this.#socket = socket;
    this.#exchange = exchange;
    this.#watch = watch;
    this.#host = host;
  }

  get started(): boolean {
    return this.#state !== 'waiting';
  }

  /** The message went out whole. */
  get complete(): boolean {
    return this.#state === 'complete';
  }

  get keptAlive(): boolean {
    return this.#state === 'complete' && this.#plan.keepAlive;
  }

  inform(status: number, headers: Headers): void {
    // 100 is ours to give, 101 would leave HTTP, and HTTP/1.0 knows neither (RFC 9110 §15.2).
    if (this.started || status <= 101 || status > 199 || !this.#host.http11) return;
    if (status === 103 && !this.#host.earlyHints) return;
    this.#watch.touch();
    this.#socket.write(renderInterim(status, headers), 'latin1');
  }

  /** Tells a client that waits for it to send its content. */
  continue(): void {
    if (!this.started) this.#socket.write(continueBytes);
  }

  send(response: Response): Promise<Error | undefined> | undefined {
    if (this.#state === 'broken' || this.#socket.destroyed) return Promise.resolve(this.#tooLate());
    const { status, headers, body } = response;
    const whole = body.whole;
    const length = whole?.byteLength ?? body.length;
    const plan = this.#planOf(response, length);
    this.#plan = plan;
    if (plan.framing !== 'none') headers.delete('content-length');
    else if (status === 204) headers.delete('content-length');
    else if (isLocalReply(response) && length !== undefined && !headers.has('content-length'))
      headers.append('Content-Length', String(length));
    const announced = plan.framing === 'chunked' ? body.announced : undefined;
    const head = renderResponseHead(status, headers, plan, length ?? 0, this.#host.date(), announced);
    this.#exchange.responseDuration = this.#host.elapsed();
    this.#state = 'writing';
    if (plan.framing === 'none') {
      body.cancel(new Error('a response without content'));
      this.#socket.write(head, 'latin1');
      return this.#whole(0);
    }
    if (whole !== undefined) {
      this.#writeWhole(head, whole);
      return this.#whole(whole.byteLength);
    }
    this.#body = body;
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#watch.touch();
      // Head and first chunk leave together when the chunk is here already.
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      body.pipe(this);
      this.#socket.uncork();
    });
  }

  /** A socket that is closed says so a moment later; the exchange must not be taken for a failure of ours until then. */
  #tooLate(): Error {
    const reason = new Error('the connection is closed');
    if (this.#state === 'waiting') this.#watch.end({ kind: 'gone', reason });
    return reason;
  }

  #planOf({ status }: Response, length: number | undefined): ResponsePlan {
    const keepAlive = this.#host.mayKeepAlive();
    if (this.#exchange.originalMethod === 'HEAD' || status === 204 || status === 304)
      return { framing: 'none', keepAlive };
    if (length !== undefined) return { framing: 'length', keepAlive };
    return this.#host.http11 ? { framing: 'chunked', keepAlive } : { framing: 'close', keepAlive: false };
  }

  #writeWhole(head: string, content: Uint8Array): void {
    const socket = this.#socket;
    if (content.byteLength === 0) socket.write(head, 'latin1');
    else if (content.byteLength <= oneWrite) {
      socket.write(head + asLatin1(content), 'latin1');
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(content);
      socket.uncork();
    }
  }

  #whole(sent: number): undefined {
    this.#exchange.bytesSent = sent;
    this.#state = 'complete';
  }

  data(chunk: Uint8Array): boolean {
    if (this.#state !== 'writing') return true;
    this.#watch.touch();
    this.#exchange.bytesSent += chunk.byteLength;
    const socket = this.#socket;
    if (this.#plan.framing !== 'chunked') return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const more = socket.write('\r\n', 'latin1');
    socket.uncork();
    return more;
  }

  end(trailers: Headers | undefined): void {
    if (this.#state !== 'writing') return;
    const announced = this.#plan.framing === 'length' ? this.#body?.length : undefined;
    if (announced !== undefined && announced !== this.#exchange.bytesSent) {
      return this.abort(new Error(`the content has ${this.#exchange.bytesSent} bytes instead of ${announced}`));
    }
    if (this.#plan.framing === 'chunked') {
      if (trailers === undefined) this.#socket.write(lastChunk);
      else {
        let text = '0\r\n';
        for (const [name, value] of trailers) text += `${name}: ${value}\r\n`;
        this.#socket.write(`${text}\r\n`, 'latin1');
      }
    }
    this.#state = 'complete';
    this.#settle(undefined);
  }

  error(error: Error): void {
    this.abort(error);
  }

  writable(): void {
    if (this.#state !== 'writing') return;
    this.#watch.touch();
    this.#body?.resume();
  }

  abort(reason: Error): void {
    if (this.#state === 'complete' || this.#state === 'broken') return;
    this.#state = 'broken';
    this.#body?.cancel(reason);
    // Without length and chunks the end of the connection is the end of the message: an early one must look like an accident.
    if (
      this.#plan.framing === 'close' &&
      'resetAndDestroy' in this.#socket &&
      this.#exchange.downstream.tls === undefined
    )
      this.#socket.resetAndDestroy();
    else this.#socket.destroy();
    this.#settle(reason);
  }
}

function nobody(): void {}
