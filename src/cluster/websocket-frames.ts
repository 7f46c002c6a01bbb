/** Follows the frames of a WebSocket as they pass, to know where one ends and something may be put in (RFC 6455 §5.2). */
export class WebSocketFrames {
  /** Bytes of a frame's header that have come, until it is whole. */
  readonly #header: number[] = [];
  /** Bytes of its payload that have not come. */
  #left = 0;

  get betweenFrames(): boolean {
    return this.#left === 0 && this.#header.length === 0;
  }

  /** Answers the offset behind the first frame that ends in these bytes; -1 when none does. */
  pass(chunk: Uint8Array): number {
    let firstEnd = -1;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const mine = Math.min(this.#left, chunk.length - at);
        this.#left -= mine;
        at += mine;
      } else {
        this.#header.push(chunk[at++]!);
        if (!this.#readHeader()) continue;
      }
      if (this.#left === 0 && firstEnd < 0) firstEnd = at;
    }
    return firstEnd;
  }

  #readHeader(): boolean {
    const header = this.#header;
    if (header.length < 2) return false;
    const short = header[1]! & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskBytes = (header[1]! & 0x80) === 0 ? 0 : 4;
    if (header.length < 2 + lengthBytes + maskBytes) return false;
    this.#left =
      lengthBytes === 0 ? short : header.slice(2, 2 + lengthBytes).reduce((length, byte) => length * 256 + byte, 0);
    header.length = 0;
    return true;
  }
}

/** Close, 1001 "going away", from a server: not masked. */
export const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
