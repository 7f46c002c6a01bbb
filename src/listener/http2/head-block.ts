import { errorCode, frameFault, type FrameFault } from '../../http2/index.ts';

/** CVE-2024-27316: an honest head needs one CONTINUATION for each 16 KiB; some clients break earlier. */
const mostContinuations = 16;

const flood = frameFault(errorCode.ENHANCE_YOUR_CALM, 'http2_continuation_flood');

/** What the HEADERS frame says beside its fields. */
export interface BlockHead {
  readonly stream: number;
  readonly endStream: boolean;
  /** The stream is said to depend on itself. */
  readonly selfDependent: boolean;
}

/** A block of fields that goes on in CONTINUATION frames (RFC 9113 §4.3, §6.10). Nothing else may come in between. */
export class HeadBlock {
  readonly head: BlockHead;
  /** When it began, on the context's clock. */
  readonly began: number;
  readonly #limit: number;
  readonly #pieces: Buffer[];
  #bytes: number;
  #continuations = 0;

  /** @param limit bytes of the block as it comes */
  constructor(head: BlockHead, first: Buffer, limit: number, began: number) {
    this.head = head;
    this.began = began;
    this.#limit = limit;
    this.#pieces = [first];
    this.#bytes = first.length;
  }

  add(piece: Buffer): FrameFault | undefined {
    this.#bytes += piece.length;
    if (++this.#continuations > mostContinuations || this.#bytes > this.#limit) return flood;
    this.#pieces.push(piece);
    return undefined;
  }

  whole(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
