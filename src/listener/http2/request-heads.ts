import { errorCode, flag, HeaderDecoder, type HeaderList, type HeaderListLimits } from '../../http2/index.ts';
import { refuse } from '../admit.ts';
import { bombWeight } from './budgets.ts';
import type { FaultHost, Faults } from './faults.ts';
import { HeadBlock, type BlockHead } from './head-block.ts';
import { trailersFault } from './read-head.ts';
import { StreamExchange, type StreamHead } from './stream-exchange.ts';
import type { StreamTable } from './stream-table.ts';

/** Bytes of a block above the size of the list that it may carry: what is a little too large is still answered 431. */
const blockSlack = 16 * 1024;
/** Lists of so many times the limits are no mistake. */
const bombFactor = 4;

const { PROTOCOL_ERROR, STREAM_CLOSED, COMPRESSION_ERROR, FRAME_SIZE_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM } =
  errorCode;

/** What heads ask of their connection. */
export interface HeadHost extends FaultHost {
  readonly streams: StreamTable<StreamExchange>;
  /** A stream has begun: it is served a tick later, when it is known whether it was reset in the same breath. */
  begun(stream: StreamExchange): void;
  /** Whether new streams are refused. */
  readonly closing: boolean;
}

/** Blocks of fields: the heads of requests, which open streams, and their trailers (RFC 9113 §6.2, §6.10, §8.1). */
export class RequestHeads {
  readonly #host: HeadHost;
  readonly #faults: Faults;
  readonly #decoder = new HeaderDecoder();
  readonly #limits: HeaderListLimits;
  /** The client knows how many streams it may open. */
  limitKnown = false;
  #block: HeadBlock | undefined;

  constructor(host: HeadHost, faults: Faults) {
    this.#host = host;
    this.#faults = faults;
    const { max_header_bytes: maxSize, max_headers_count: maxCount } = host.context.config;
    // Four pseudo-fields are no header lines.
    this.#limits = { maxSize, maxCount: maxCount + 4 };
  }

  /** The block that goes on in the next frame. */
  get unfinished(): HeadBlock | undefined {
    return this.#block;
  }

  headers(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    let start = from;
    let end = to;
    if ((flags & flag.PADDED) !== 0) {
      end -= bytes[start++]!;
      if (end < start) return this.#faults.fail(PROTOCOL_ERROR, 'http2_padding_too_long');
    }
    let selfDependent = false;
    if ((flags & flag.PRIORITY) !== 0) {
      if (end - start < 5) return this.#faults.fail(FRAME_SIZE_ERROR, 'http2_frame_size');
      selfDependent = (bytes.readUInt32BE(start) & 0x7fffffff) === stream;
      start += 5;
    }
    const head = { stream, endStream: (flags & flag.END_STREAM) !== 0, selfDependent };
    if ((flags & flag.END_HEADERS) !== 0) return this.#whole(head, bytes, start, end);
    const limit = this.#limits.maxSize + blockSlack;
    this.#block = new HeadBlock(head, bytes.subarray(start, end), limit, this.#host.context.now());
  }

  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block!;
    const fault = block.add(bytes.subarray(start, end));
    if (fault !== undefined) return this.#faults.end(fault);
    if ((flags & flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    const whole = block.whole();
    this.#whole(block.head, whole, 0, whole.length);
  }

  #whole(head: BlockHead, bytes: Buffer, start: number, end: number): void {
    const { streams } = this.#host;
    // Whatever becomes of it, the tables of both sides must agree.
    const list = this.#decoder.decode(bytes, start, end, this.#limits);
    if (typeof list === 'string') return this.#faults.fail(COMPRESSION_ERROR, list);
    const stream = streams.get(head.stream);
    if (stream !== undefined) return this.#trailers(stream, list, head.endStream);
    const past = streams.past(head.stream);
    if (past === 'reset by us') return this.#faults.overhead();
    if (head.stream % 2 === 0 || past === 'unknown')
      return this.#faults.fail(PROTOCOL_ERROR, 'http2_stream_id_invalid');
    if (past !== 'idle') return this.#faults.fail(STREAM_CLOSED, 'http2_stream_closed');
    const { closing, context } = this.#host;
    if (closing) this.#skip(head.stream, 'http2_stream_after_goaway');
    else if (streams.size >= context.config.max_concurrent_streams) this.#skip(head.stream, 'http2_too_many_streams');
    else this.#open(head, list);
  }

  /** RFC 9113 §5.1.2, §6.8: the client may ask again, and may not have known better. */
  #skip(id: number, details: string): void {
    const { streams, outbound, context, closing } = this.#host;
    streams.skip(id);
    outbound.frames.reset(id, REFUSED_STREAM);
    this.#host.flushSoon();
    context.serve.counters.protocolError(details);
    if (this.limitKnown && !closing) this.#faults.provoked();
    else this.#faults.overhead();
  }

  #open({ stream: id, endStream, selfDependent }: BlockHead, list: HeaderList): void {
    const host = this.#host;
    const { maxSize, maxCount } = this.#limits;
    const bomb = list.size > bombFactor * maxSize || list.count > bombFactor * maxCount;
    const tooLarge = list.size > maxSize;
    let faulty: StreamHead['faulty'];
    if (selfDependent) faulty = { malformed: 'http2_stream_depends_on_itself' };
    else if (bomb) faulty = { malformed: 'header_list_bomb' };
    else if (list.exceeded)
      faulty = { refused: refuse(431, tooLarge ? 'header_section_too_large' : 'too_many_headers', 'LL') };
    const stream = new StreamExchange({ id, raw: list.flat, complete: endStream, faulty }, host);
    host.budgets.streamOpened();
    host.streams.open(id, stream);
    host.begun(stream);
    if (stream.malformed) {
      stream.over(new Error('the request is malformed'), true);
      host.reset(stream, bomb ? ENHANCE_YOUR_CALM : PROTOCOL_ERROR);
    }
    if (bomb || tooLarge) this.#faults.provoked(bombWeight);
    else if (stream.malformed) this.#faults.provoked();
  }

  #trailers(stream: StreamExchange, list: HeaderList, endStream: boolean): void {
    const faults = this.#faults;
    if (!stream.requestOpen) return faults.refuse(stream, STREAM_CLOSED, 'http2_stream_closed');
    if (!endStream) return faults.refuse(stream, PROTOCOL_ERROR, 'trailers_without_end');
    if (list.exceeded) return faults.refuse(stream, ENHANCE_YOUR_CALM, 'trailers_too_large');
    const malformed = trailersFault(list.flat);
    if (malformed !== undefined) return faults.refuse(stream, PROTOCOL_ERROR, malformed);
    const fault = stream.finish(list.flat);
    if (fault !== undefined) faults.refuse(stream, fault.code, fault.details);
  }
}
