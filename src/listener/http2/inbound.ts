import {
  errorCode,
  flag,
  FrameReader,
  frameFault,
  frameType,
  grown,
  readSettings,
  ReceiveWindow,
  type FrameFault,
  type FrameSink,
} from '../../http2/index.ts';
import { Faults } from './faults.ts';
import { RequestHeads, type HeadHost } from './request-heads.ts';
import type { StreamExchange } from './stream-exchange.ts';
import type { StreamTable } from './stream-table.ts';

/** Bytes of content on their way to us on one connection. */
export const connectionWindow = 1024 * 1024;

const { PROTOCOL_ERROR, STREAM_CLOSED, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR } = errorCode;

/** What frames ask of their connection. */
export interface InboundHost extends HeadHost {
  settingsAcknowledged(): void;
  pingAcknowledged(): void;
  /** RST_STREAM by the client. */
  resetByClient(stream: StreamExchange): void;
  /** GOAWAY by the client, with its code. */
  leaving(code: number): void;
}

/** What the frames of a client mean (RFC 9113 §5, §6). */
export class Inbound implements FrameSink {
  readonly reader = new FrameReader(this);
  readonly #host: InboundHost;
  readonly #faults: Faults;
  readonly #heads: RequestHeads;
  readonly #receive = new ReceiveWindow(connectionWindow);
  /** The client's settings have come. */
  #settled = false;
  /** DATA frames that we had sent when the last PING came. */
  #pingedAt = 0;
  /** Of a DATA frame: whose it is, undefined when nobody wants it; and whether it was of use. */
  #target: StreamExchange | undefined;
  #useful = true;

  constructor(host: InboundHost) {
    this.#host = host;
    this.#faults = new Faults(host);
    this.#heads = new RequestHeads(host, this.#faults);
  }

  /** When the head began that is not complete; undefined when there is none. */
  get headBegan(): number | undefined {
    return this.#heads.unfinished?.began;
  }

  /** Opens the connection's window; answers the increment to announce. */
  released(bytes: number): number {
    return this.#receive.release(bytes);
  }

  fault(fault: FrameFault): void {
    this.#host.fail(fault);
  }

  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#expected(type, flags, stream)) return;
    switch (type) {
      case frameType.HEADERS:
        return this.#heads.headers(flags, stream, bytes, start, end);
      case frameType.CONTINUATION:
        return this.#heads.continuation(flags, bytes, start, end);
      case frameType.SETTINGS:
        return this.#settings(flags, bytes, start, end);
      case frameType.PING:
        return this.#ping(flags, bytes, start);
      case frameType.WINDOW_UPDATE:
        return this.#windowUpdate(stream, bytes.readUInt32BE(start) & 0x7fffffff);
      case frameType.RST_STREAM:
        return this.#reset(stream);
      case frameType.PRIORITY:
        return this.#priority(stream, bytes, start, end);
      case frameType.GOAWAY:
        return this.#host.leaving(bytes.readUInt32BE(start + 4));
      case frameType.PUSH_PROMISE:
        return this.#faults.fail(PROTOCOL_ERROR, 'http2_push_promise');
      default:
        this.#faults.overhead();
    }
  }

  /** RFC 9113 §3.4, §6.10: settings come first, and nothing comes between the pieces of a block. */
  #expected(type: number, flags: number, stream: number): boolean {
    if (!this.#settled && (type !== frameType.SETTINGS || (flags & flag.ACK) !== 0)) {
      this.#faults.fail(PROTOCOL_ERROR, 'http2_settings_missing');
      return false;
    }
    const { unfinished } = this.#heads;
    const goesOn = type === frameType.CONTINUATION;
    if (goesOn !== (unfinished !== undefined) || (goesOn && unfinished?.head.stream !== stream)) {
      this.#faults.fail(PROTOCOL_ERROR, 'http2_continuation_expected');
      return false;
    }
    return true;
  }

  // DATA

  dataBegins(id: number, length: number, padding: number): void {
    this.#target = undefined;
    this.#useful = true;
    if (!this.#expected(frameType.DATA, 0, id)) return;
    if (!this.#receive.take(length)) return this.#faults.fail(FLOW_CONTROL_ERROR, 'http2_window_exceeded');
    const stream = this.#host.streams.get(id);
    if (stream === undefined) return this.#dataOfNobody(id, length);
    const content = length - padding;
    const fault = stream.requestOpen
      ? stream.announce(length, content)
      : frameFault(STREAM_CLOSED, 'http2_stream_closed');
    if (fault !== undefined) {
      this.#host.used(length, undefined);
      return this.#faults.refuse(stream, fault.code, fault.details);
    }
    this.#target = stream;
    this.#useful = content > padding || content > 255;
    if (padding > 0) this.#host.used(padding, stream);
  }

  #dataOfNobody(id: number, length: number): void {
    const past = this.#host.streams.past(id);
    if (past === 'idle') return this.#faults.fail(PROTOCOL_ERROR, 'http2_stream_idle');
    if (past !== 'reset by us') return this.#faults.fail(STREAM_CLOSED, 'http2_stream_closed');
    // It was on its way when we reset the stream.
    this.#host.used(length, undefined);
    this.#faults.overhead();
  }

  data(piece: Buffer): void {
    this.#target?.take(piece);
  }

  dataEnds(endStream: boolean): void {
    const stream = this.#target;
    this.#target = undefined;
    if (stream === undefined) return;
    if (endStream) {
      const fault = stream.requestOpen ? stream.finish([]) : undefined;
      if (fault !== undefined) this.#faults.refuse(stream, fault.code, fault.details);
    } else if (!this.#useful) {
      this.#faults.overhead();
    }
  }

  // Frames of control

  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    const { outbound, streams } = this.#host;
    if (this.#settled) this.#faults.control();
    this.#settled = true;
    if ((flags & flag.ACK) !== 0) {
      this.#heads.limitKnown = true;
      return this.#host.settingsAcknowledged();
    }
    const settings = readSettings(bytes, start, end);
    if ('code' in settings) return this.fault(settings);
    if (settings.headerTableSize !== undefined) {
      outbound.encoder.resize(settings.leastHeaderTableSize!);
      outbound.encoder.resize(settings.headerTableSize);
    }
    if (settings.initialWindowSize !== undefined) {
      const fault = outbound.resizeStreams(settings.initialWindowSize, writersOf(streams));
      if (fault !== undefined) return this.fault(fault);
    }
    outbound.frames.settingsAck();
    this.#host.flushSoon();
  }

  #ping(flags: number, bytes: Buffer, start: number): void {
    const { outbound } = this.#host;
    // Some clients measure the line by a PING for content that came (gRPC does), which is as honest as WINDOW_UPDATE.
    const paid = outbound.dataFrames > this.#pingedAt;
    this.#pingedAt = outbound.dataFrames;
    if (!paid) this.#faults.control();
    if ((flags & flag.ACK) !== 0) return this.#host.pingAcknowledged();
    outbound.frames.ping(true, bytes, start);
    this.#host.flushSoon();
  }

  #windowUpdate(id: number, increment: number): void {
    const { outbound, streams } = this.#host;
    this.#faults.overhead();
    if (id === 0) {
      if (increment === 0) return this.#faults.fail(PROTOCOL_ERROR, 'http2_window_update_zero');
      this.#faults.end(outbound.grow(increment));
      if (outbound.waiting) this.#host.flushSoon();
      return;
    }
    const stream = streams.get(id);
    if (stream === undefined) {
      if (streams.past(id) === 'idle') this.#faults.fail(PROTOCOL_ERROR, 'http2_stream_idle');
      return;
    }
    if (increment === 0) return this.#faults.refuse(stream, PROTOCOL_ERROR, 'http2_window_update_zero');
    const { writer } = stream;
    const window = grown(writer.window, increment);
    if (window === undefined) return this.#faults.refuse(stream, FLOW_CONTROL_ERROR, 'http2_window_too_large');
    writer.window = window;
    outbound.enter(writer);
    if (outbound.waiting) this.#host.flushSoon();
  }

  #reset(id: number): void {
    const stream = this.#host.streams.get(id);
    if (stream !== undefined) {
      const vain = !stream.writer.started;
      this.#host.resetByClient(stream);
      if (vain) this.#faults.provoked();
    } else if (this.#host.streams.past(id) === 'idle') {
      this.#faults.fail(PROTOCOL_ERROR, 'http2_stream_idle');
    } else {
      this.#faults.overhead();
    }
  }

  /** Priorities mean nothing any more, their form does (RFC 9113 §5.3.2, §6.3). */
  #priority(id: number, bytes: Buffer, start: number, end: number): void {
    const wrongSize = end - start !== 5;
    if (!wrongSize && (bytes.readUInt32BE(start) & 0x7fffffff) !== id) return this.#faults.overhead();
    const [code, details] = wrongSize
      ? ([FRAME_SIZE_ERROR, 'http2_frame_size'] as const)
      : ([PROTOCOL_ERROR, 'http2_stream_depends_on_itself'] as const);
    const stream = this.#host.streams.get(id);
    if (stream === undefined) this.#faults.fail(code, details);
    else this.#faults.refuse(stream, code, details);
  }
}

function* writersOf(streams: StreamTable<StreamExchange>): Generator<StreamExchange['writer']> {
  for (const { writer } of streams.live()) yield writer;
}
