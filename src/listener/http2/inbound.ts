import {
  errorCode,
  flag,
  FrameReader,
  frameFault,
  frameType,
  grown,
  HeaderDecoder,
  readSettings,
  ReceiveWindow,
  type ErrorCode,
  type FrameFault,
  type FrameSink,
  type HeaderList,
  type HeaderListLimits,
} from '../../http2/index.ts';
import { refuse } from '../admit.ts';
import { bombWeight, type Budgets } from './budgets.ts';
import { HeadBlock } from './head-block.ts';
import { trailersFault } from './read-head.ts';
import { StreamExchange, type StreamHead, type StreamHost } from './stream-exchange.ts';
import type { StreamTable } from './stream-table.ts';

/** Bytes of content on their way to us on one connection. */
export const connectionWindow = 1024 * 1024;
/** Bytes of a block above the size of the list that it may carry: what is a little too large is still answered 431. */
const blockSlack = 16 * 1024;
/** Lists of so many times the limits are no mistake. */
const bombFactor = 4;

const { PROTOCOL_ERROR, STREAM_CLOSED, FLOW_CONTROL_ERROR, COMPRESSION_ERROR, FRAME_SIZE_ERROR } = errorCode;
const { REFUSED_STREAM, ENHANCE_YOUR_CALM } = errorCode;

/** What frames ask of their connection. */
export interface InboundHost extends StreamHost {
  readonly streams: StreamTable<StreamExchange>;
  readonly budgets: Budgets;
  /** GOAWAY with the code, and the end of everything. */
  fail(fault: FrameFault): void;
  settingsAcknowledged(): void;
  pingAcknowledged(): void;
  /** A stream has begun: it is served a tick later, when it is known whether it was reset in the same breath. */
  begun(stream: StreamExchange): void;
  /** RST_STREAM by the client. */
  resetByClient(stream: StreamExchange): void;
  /** GOAWAY by the client, with its code. */
  leaving(code: number): void;
  /** Whether new streams are refused. */
  readonly closing: boolean;
}

/** What the frames of a client mean (RFC 9113 §5, §6). */
export class Inbound implements FrameSink {
  readonly reader = new FrameReader(this);
  readonly #host: InboundHost;
  readonly #decoder = new HeaderDecoder();
  readonly #receive = new ReceiveWindow(connectionWindow);
  readonly #limits: HeaderListLimits;
  #block: HeadBlock | undefined;
  #settled = false;
  #acknowledged = false;
  /** Of a DATA frame: whose it is, undefined when nobody wants it; and whether it was of use. */
  #target: StreamExchange | undefined;
  #useful = true;

  constructor(host: InboundHost) {
    this.#host = host;
    const { max_header_bytes: maxSize, max_headers_count: maxCount } = host.context.config;
    // Four pseudo-fields are no header lines.
    this.#limits = { maxSize, maxCount: maxCount + 4 };
  }

  /** When the head began that is not complete; undefined when there is none. */
  get headBegan(): number | undefined {
    return this.#block?.began;
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
        return this.#headers(flags, stream, bytes, start, end);
      case frameType.CONTINUATION:
        return this.#continuation(flags, bytes, start, end);
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
        return this.#fail(PROTOCOL_ERROR, 'http2_push_promise');
      default:
        this.#overhead();
    }
  }

  /** RFC 9113 §3.4, §6.10: settings come first, and nothing comes between the pieces of a block. */
  #expected(type: number, flags: number, stream: number): boolean {
    if (!this.#settled && (type !== frameType.SETTINGS || (flags & flag.ACK) !== 0)) {
      this.#fail(PROTOCOL_ERROR, 'http2_settings_missing');
      return false;
    }
    const goesOn = type === frameType.CONTINUATION;
    if (goesOn !== (this.#block !== undefined) || (goesOn && this.#block?.stream !== stream)) {
      this.#fail(PROTOCOL_ERROR, 'http2_continuation_expected');
      return false;
    }
    return true;
  }

  #fail(code: ErrorCode, details: string): void {
    this.fault(frameFault(code, details));
  }

  #spend(fault: FrameFault | undefined): void {
    if (fault !== undefined) this.fault(fault);
  }

  #overhead(): void {
    const { budgets, context, outbound } = this.#host;
    this.#spend(budgets.overhead(context.now(), outbound.dataFrames));
  }

  /** RFC 9113 §5.4.2. Every such reset is one that the client has provoked (CVE-2025-8671). */
  #refuse(stream: StreamExchange, code: ErrorCode, details: string): void {
    stream.refuse(details);
    this.#host.reset(stream, code);
    this.#provoked();
  }

  #provoked(weight = 1): void {
    const { budgets, context } = this.#host;
    this.#spend(budgets.reset(context.now(), weight));
  }

  // HEADERS and CONTINUATION

  #headers(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    let start = from;
    let end = to;
    if ((flags & flag.PADDED) !== 0) {
      end -= bytes[start++]!;
      if (end < start) return this.#fail(PROTOCOL_ERROR, 'http2_padding_too_long');
    }
    let selfDependent = false;
    if ((flags & flag.PRIORITY) !== 0) {
      if (end - start < 5) return this.#fail(FRAME_SIZE_ERROR, 'http2_frame_size');
      selfDependent = (bytes.readUInt32BE(start) & 0x7fffffff) === stream;
      start += 5;
    }
    const endStream = (flags & flag.END_STREAM) !== 0;
    const head = { stream, endStream, selfDependent };
    if ((flags & flag.END_HEADERS) !== 0) return this.#headed(head, bytes, start, end);
    const limit = this.#limits.maxSize + blockSlack;
    this.#block = new HeadBlock(head, bytes.subarray(start, end), limit, this.#host.context.now());
  }

  #continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block!;
    const fault = block.add(bytes.subarray(start, end));
    if (fault !== undefined) return this.fault(fault);
    if ((flags & flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    const whole = block.whole();
    this.#headed(block, whole, 0, whole.length);
  }

  /** A whole block of fields: the head of a request, or its trailers. */
  #headed(
    head: { readonly stream: number; readonly endStream: boolean; readonly selfDependent: boolean },
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { streams } = this.#host;
    // Whatever becomes of it, the tables of both sides must agree.
    const list = this.#decoder.decode(bytes, start, end, this.#limits);
    if (typeof list === 'string') return this.#fail(COMPRESSION_ERROR, list);
    const stream = streams.get(head.stream);
    if (stream !== undefined) return this.#trailers(stream, list, head.endStream);
    const past = streams.past(head.stream);
    if (past === 'reset by us') return this.#overhead();
    if (head.stream % 2 === 0 || past === 'unknown') return this.#fail(PROTOCOL_ERROR, 'http2_stream_id_invalid');
    if (past !== 'idle') return this.#fail(STREAM_CLOSED, 'http2_stream_closed');
    this.#open(head, list);
  }

  #open(
    { stream: id, endStream, selfDependent }: { stream: number; endStream: boolean; selfDependent: boolean },
    list: HeaderList,
  ): void {
    const host = this.#host;
    const { streams, budgets, context } = host;
    if (host.closing || streams.size >= context.config.max_concurrent_streams) {
      streams.skip(id);
      host.outbound.frames.reset(id, REFUSED_STREAM);
      host.flushSoon();
      context.serve.counters.protocolError(host.closing ? 'http2_stream_after_goaway' : 'http2_too_many_streams');
      // It may not have known better.
      if (this.#acknowledged && !host.closing) this.#provoked();
      return;
    }
    budgets.streamOpened();
    const { maxSize, maxCount } = this.#limits;
    const bomb = list.size > bombFactor * maxSize || list.count > bombFactor * maxCount;
    const faulty: StreamHead['faulty'] = selfDependent
      ? { malformed: 'http2_stream_depends_on_itself' }
      : bomb
        ? { malformed: 'header_list_bomb' }
        : list.exceeded
          ? { refused: refuse(431, list.size > maxSize ? 'header_section_too_large' : 'too_many_headers', 'LL') }
          : undefined;
    const stream = new StreamExchange(
      { id, raw: list.flat, complete: endStream, ...(faulty === undefined ? {} : { faulty }) },
      host,
    );
    streams.open(id, stream);
    host.begun(stream);
    if (stream.malformed) {
      stream.over(new Error('the request is malformed'), true);
      host.reset(stream, bomb ? ENHANCE_YOUR_CALM : PROTOCOL_ERROR);
      this.#provoked(bomb ? bombWeight : 1);
    } else if (list.size > maxSize) {
      this.#provoked(bombWeight);
    }
  }

  #trailers(stream: StreamExchange, list: HeaderList, endStream: boolean): void {
    if (!stream.requestOpen) return this.#refuse(stream, STREAM_CLOSED, 'http2_stream_closed');
    if (!endStream) return this.#refuse(stream, PROTOCOL_ERROR, 'trailers_without_end');
    if (list.exceeded) return this.#refuse(stream, ENHANCE_YOUR_CALM, 'trailers_too_large');
    const malformed = trailersFault(list.flat);
    if (malformed !== undefined) return this.#refuse(stream, PROTOCOL_ERROR, malformed);
    this.#finish(stream, list.flat);
  }

  #finish(stream: StreamExchange, trailers: readonly string[]): void {
    const fault = stream.finish(trailers);
    if (fault !== undefined) this.#refuse(stream, fault.code, fault.details);
  }

  // DATA

  dataBegins(id: number, length: number, padding: number): void {
    this.#target = undefined;
    this.#useful = true;
    if (!this.#expected(frameType.DATA, 0, id)) return;
    if (!this.#receive.take(length)) return this.#fail(FLOW_CONTROL_ERROR, 'http2_window_exceeded');
    const stream = this.#host.streams.get(id);
    if (stream === undefined) return this.#dataOfNobody(id, length);
    const content = length - padding;
    const fault = stream.requestOpen
      ? stream.announce(length, content)
      : frameFault(STREAM_CLOSED, 'http2_stream_closed');
    if (fault !== undefined) {
      this.#host.used(length, undefined);
      return this.#refuse(stream, fault.code, fault.details);
    }
    this.#target = stream;
    this.#useful = content > padding || content > 255;
    if (padding > 0) this.#host.used(padding, stream);
  }

  #dataOfNobody(id: number, length: number): void {
    const past = this.#host.streams.past(id);
    if (past === 'idle') return this.#fail(PROTOCOL_ERROR, 'http2_stream_idle');
    if (past !== 'reset by us') return this.#fail(STREAM_CLOSED, 'http2_stream_closed');
    // It was on its way when we reset the stream.
    this.#host.used(length, undefined);
    this.#overhead();
  }

  data(piece: Buffer): void {
    this.#target?.take(piece);
  }

  dataEnds(endStream: boolean): void {
    const stream = this.#target;
    this.#target = undefined;
    if (stream === undefined) return;
    if (endStream) {
      if (stream.requestOpen) this.#finish(stream, []);
    } else if (!this.#useful) {
      this.#overhead();
    }
  }

  // Frames of control

  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    const { context, budgets, outbound, streams } = this.#host;
    this.#spend(this.#settled ? budgets.control(context.now()) : undefined);
    this.#settled = true;
    if ((flags & flag.ACK) !== 0) {
      this.#acknowledged = true;
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
    const { context, budgets, outbound } = this.#host;
    this.#spend(budgets.control(context.now()));
    if ((flags & flag.ACK) !== 0) return this.#host.pingAcknowledged();
    outbound.frames.ping(true, bytes, start);
    this.#host.flushSoon();
  }

  #windowUpdate(id: number, increment: number): void {
    const { outbound, streams } = this.#host;
    this.#overhead();
    if (id === 0) {
      if (increment === 0) return this.#fail(PROTOCOL_ERROR, 'http2_window_update_zero');
      this.#spend(outbound.grow(increment));
      if (outbound.waiting) this.#host.flushSoon();
      return;
    }
    const stream = streams.get(id);
    if (stream === undefined) {
      if (streams.past(id) === 'idle') this.#fail(PROTOCOL_ERROR, 'http2_stream_idle');
      return;
    }
    if (increment === 0) return this.#refuse(stream, PROTOCOL_ERROR, 'http2_window_update_zero');
    const { writer } = stream;
    const window = grown(writer.window, increment);
    if (window === undefined) return this.#refuse(stream, FLOW_CONTROL_ERROR, 'http2_window_too_large');
    writer.window = window;
    outbound.enter(writer);
    if (outbound.waiting) this.#host.flushSoon();
  }

  #reset(id: number): void {
    const stream = this.#host.streams.get(id);
    if (stream !== undefined) {
      const vain = !stream.writer.started;
      this.#host.resetByClient(stream);
      if (vain) this.#provoked();
    } else if (this.#host.streams.past(id) === 'idle') {
      this.#fail(PROTOCOL_ERROR, 'http2_stream_idle');
    } else {
      this.#overhead();
    }
  }

  /** Priorities mean nothing any more, their form does (RFC 9113 §5.3.2, §6.3). */
  #priority(id: number, bytes: Buffer, start: number, end: number): void {
    const wrongSize = end - start !== 5;
    if (!wrongSize && (bytes.readUInt32BE(start) & 0x7fffffff) !== id) return this.#overhead();
    const [code, details] = wrongSize
      ? ([FRAME_SIZE_ERROR, 'http2_frame_size'] as const)
      : ([PROTOCOL_ERROR, 'http2_stream_depends_on_itself'] as const);
    const stream = this.#host.streams.get(id);
    if (stream === undefined) this.#fail(code, details);
    else this.#refuse(stream, code, details);
  }
}

function* writersOf(streams: StreamTable<StreamExchange>): Generator<StreamExchange['writer']> {
  for (const { writer } of streams.live()) yield writer;
}
