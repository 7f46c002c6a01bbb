import { constants, type ServerHttp2Stream } from 'node:http2';
import { Exchange, noBody, type Downstream, type LocalReply } from '../../../src/http/index.ts';
import { refuse } from '../../../src/listener/admit.ts';
import type { CodecContext } from '../../../src/listener/codec.ts';
import { serve, type Served } from '../../../src/listener/serve.ts';
import { Watch } from '../../../src/listener/watch.ts';
import { BodyPace } from '../../../src/listener/http2/body-pace.ts';
import { readHead } from './read-head.ts';
import { Http2RequestBody } from './request-body.ts';
import { Http2Writer } from './writer.ts';

/** One stream, which carries one exchange. */
export class StreamExchange implements Served {
  readonly exchange: Exchange;
  readonly #stream: ServerHttp2Stream;
  readonly #context: CodecContext;
  readonly #watch = new Watch();
  readonly #writer: Http2Writer;
  readonly #refused: LocalReply | undefined;
  readonly #body: Http2RequestBody | undefined;
  readonly #pace: BodyPace | undefined;
  /** Bytes of the answer that the client has not taken, and since when it has taken none of them. */
  #pending = 0;
  #pendingSince: number | undefined;

  /**
   * @param raw the header block: name, value, name, value …
   * @param complete there is no content
   */
  constructor(
    stream: ServerHttp2Stream,
    raw: readonly string[],
    complete: boolean,
    downstream: Downstream,
    context: CodecContext,
  ) {
    this.#stream = stream;
    this.#context = context;
    const { config, policy } = context;
    const { clock } = context.serve;
    const started = clock.monotonic();
    const { remoteAddress: peer, tls } = downstream;
    const scheme = tls === undefined ? 'http' : 'https';
    const head = readHead(raw, { scheme, peer, clientCertificate: tls?.clientCertificate }, policy);
    this.#refused = head.refused;
    this.exchange = new Exchange(
      downstream,
      'HTTP/2',
      {
        method: head.method,
        scheme,
        authority: head.authority,
        path: head.path,
        headers: head.headers,
        body: noBody,
        upgrade: undefined,
      },
      head.clientAddress,
      { time: clock.now(), monotonic: started },
    );
    const writer = (this.#writer = new Http2Writer(stream, this.exchange, this.#watch, clock));
    if (complete) {
      this.exchange.requestDuration = 0;
      return;
    }
    const body = (this.#body = new Http2RequestBody(stream, {
      length: head.length,
      limit: policy.maxBody,
      maxTrailers: policy.maxHeaders,
      awaited: head.expectsContinue ? () => writer.continue() : undefined,
      exchange: this.exchange,
      watch: this.#watch,
      clock,
    }));
    this.exchange.request.body = body;
    this.#pace = new BodyPace({ timeout: config.request_timeout, rate: config.min_request_body_rate }, started);
    if (!head.expectsContinue && head.refused === undefined) body.start();
  }

  /** We, and not the client, have kept content from arriving since this was asked last. */
  get held(): boolean {
    return this.#body?.wasHeld() === true;
  }

  serve(): void {
    if (this.#stream.aborted || this.#stream.destroyed) return;
    if (this.#refused !== undefined) this.#context.serve.counters.protocolError(this.#refused.local.details);
    serve(this.exchange, this.#writer, this.#watch, this.#context.serve, this, this.#refused);
  }

  served(): void {
    const body = this.#body;
    if (body === undefined || body.finished) return;
    body.break(new Error('the request has been answered'));
    // RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted.
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** @param held content was kept from arriving on this connection */
  look(now: number, held: boolean): void {
    this.#watch.look(now);
    if (this.#body?.finished === false && !this.#writer.started) {
      const fault = this.#pace!.fault(now, this.exchange.bytesReceived, held);
      if (fault !== undefined) return this.#late(fault);
    }
    const timeout = this.#context.config.stream_flush_timeout;
    if (timeout > 0 && this.#writer.started && this.#stuckFor(now) >= timeout)
      this.#watch.end({ kind: 'reply', reply: refuse(408, 'stream_flush_timeout', 'SI') });
  }

  #late(details: string): void {
    const reply = refuse(408, details);
    this.#context.serve.counters.protocolError(details);
    this.#watch.end({ kind: 'reply', reply });
    this.#body?.break(new Error(details));
  }

  #stuckFor(now: number): number {
    const pending = this.#stream.writableLength;
    if (pending === 0) this.#pendingSince = undefined;
    else if (this.#pendingSince === undefined || pending < this.#pending) this.#pendingSince = now;
    this.#pending = pending;
    return this.#pendingSince === undefined ? 0 : now - this.#pendingSince;
  }

  /** The last byte of the answer has left. */
  finished(): void {
    this.#writer.finished();
  }

  /** The client has left, or its connection is lost. */
  aborted(): void {
    const reason = new Error('the client is gone');
    this.#watch.end({ kind: 'gone', reason });
    this.#body?.break(reason);
  }

  /** The stream is no more. Says whether it was for nothing: reset, by whomever, before there was an answer. */
  closed(): 'in vain' | 'served' {
    const vain = this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR && !this.#writer.started;
    if (!this.#writer.closed()) this.aborted();
    else if (this.#body?.finished === false) this.#body.break(new Error('the stream is closed'));
    return vain ? 'in vain' : 'served';
  }
}
