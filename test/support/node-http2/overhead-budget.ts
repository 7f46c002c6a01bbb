/** Bytes a second, and at once. */
const rate = 512 * 1024;
const burst = 2 * 1024 * 1024;
/** Content may come one byte a frame of ten. */
const framing = 10;

/** Running totals of one connection. */
export interface Traffic {
  readonly read: number;
  /** Content of requests, and of answers: every byte of these may be worth a WINDOW_UPDATE. */
  readonly received: number;
  readonly sent: number;
  readonly streams: number;
}

/**
 * `node:http2` shows no WINDOW_UPDATE, CONTINUATION or frame of unknown type to JavaScript (CVE-2019-9511 and its kin), but the
 * socket counts its bytes: what is neither head nor content is overhead, and too much of it is a flood.
 */
export class OverheadBudget {
  /** Bytes that a stream may take for its head, and for content that nobody wanted. */
  readonly #perStream: number;
  #before: Traffic = { read: 0, received: 0, sent: 0, streams: 0 };
  #looked: number;
  #debt = 0;

  /** @param now monotonic milliseconds, as in {@link OverheadBudget.overdrawn} */
  constructor(perStream: number, now: number) {
    this.#perStream = perStream;
    this.#looked = now;
  }

  overdrawn(traffic: Traffic, now: number): boolean {
    const { read, received, sent, streams } = this.#before;
    const overhead =
      traffic.read -
      read -
      framing * (traffic.received - received) -
      (traffic.sent - sent) -
      this.#perStream * (traffic.streams - streams);
    this.#debt = Math.max(0, this.#debt + overhead - (rate * (now - this.#looked)) / 1000);
    this.#before = traffic;
    this.#looked = now;
    return this.#debt > burst;
  }
}
