import {
  defaultWindow,
  FrameWriter,
  grown,
  HeaderEncoder,
  maxFrameLength,
  type FrameFault,
  errorCode,
  frameFault,
} from '../../http2/index.ts';

/** What one stream has to send. */
export interface Sender {
  /** Bytes that the client lets us send on this stream; may be negative. */
  window: number;
  /** Whether it is in the round. */
  inRound: boolean;
  /** Bytes of content that wait. */
  readonly queued: number;
  /** There is content, or an end, to send. */
  readonly unsent: boolean;
  /** Writes one frame with at most so many bytes of content; answers how many it took. */
  emit(to: FrameWriter, most: number): number;
  /** Frames of it have left. */
  moved(): void;
}

const windowTooLarge = frameFault(errorCode.FLOW_CONTROL_ERROR, 'http2_window_too_large');

/** What leaves on one connection: frames in their order, content by turns and as the client's windows allow (RFC 9113 §5.2). */
export class Outbound {
  readonly frames = new FrameWriter();
  readonly encoder = new HeaderEncoder();
  /** Bytes of content that the client lets us send on the connection. */
  #window = defaultWindow;
  #initialWindow = defaultWindow;
  /** Streams with something to send that their windows allow, in the order of their turns. */
  #round: Sender[] = [];
  #dataFrames = 0;
  #sent = 0;

  get initialWindow(): number {
    return this.#initialWindow;
  }

  /** DATA frames so far, and their content. */
  get dataFrames(): number {
    return this.#dataFrames;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Some stream's content waits, and not for the stream's window. */
  get waiting(): boolean {
    return this.#round.length > 0;
  }

  /** The client lets no more content through, on whatever stream. */
  get exhausted(): boolean {
    return this.#window <= 0;
  }

  grow(increment: number): FrameFault | undefined {
    const window = grown(this.#window, increment);
    if (window === undefined) return windowTooLarge;
    this.#window = window;
    return undefined;
  }

  /** The client allows that much on new streams; those that are open get the difference (RFC 9113 §6.9.2). */
  resizeStreams(size: number, senders: Iterable<Sender>): FrameFault | undefined {
    const difference = size - this.#initialWindow;
    this.#initialWindow = size;
    if (difference === 0) return undefined;
    for (const sender of senders) {
      const window = grown(sender.window, difference);
      if (window === undefined) return windowTooLarge;
      sender.window = window;
      this.enter(sender);
    }
    return undefined;
  }

  /** Content of a stream takes its turn, as soon as the stream's window allows. */
  enter(sender: Sender): void {
    if (sender.inRound || !sender.unsent || (sender.window <= 0 && sender.queued > 0)) return;
    sender.inRound = true;
    this.#round.push(sender);
  }

  /** Writes content at once if nothing is before it and it fits; says whether it did. */
  tryWhole(stream: number, sender: Sender, content: Uint8Array): boolean {
    const { byteLength } = content;
    if (
      this.#round.length > 0 ||
      byteLength > maxFrameLength ||
      byteLength > sender.window ||
      byteLength > this.#window ||
      this.frames.length > maxFrameLength
    )
      return false;
    this.frames.data(stream, content, 0, byteLength, true);
    this.#account(sender, byteLength);
    return true;
  }

  /** Writes at most so many bytes of content, a frame of each stream in turn. Answers the streams that have moved. */
  fill(room: number): Sender[] {
    const moved: Sender[] = [];
    let left = Math.min(room, Math.max(0, this.#window));
    for (let progress = true; progress && this.#round.length > 0;) {
      progress = false;
      const turn = this.#round;
      this.#round = [];
      for (const sender of turn) {
        const most = Math.min(maxFrameLength, left, sender.window);
        if (most <= 0 && sender.queued > 0) {
          // Its own window opens it again; otherwise it keeps its place.
          if (sender.window > 0) this.#round.push(sender);
          else sender.inRound = false;
          continue;
        }
        const taken = sender.emit(this.frames, most);
        this.#account(sender, taken);
        left -= taken;
        progress = true;
        if (!moved.includes(sender)) moved.push(sender);
        sender.inRound = sender.unsent && (sender.window > 0 || sender.queued === 0);
        if (sender.inRound) this.#round.push(sender);
      }
    }
    return moved;
  }

  leave(sender: Sender): void {
    if (!sender.inRound) return;
    sender.inRound = false;
    const at = this.#round.indexOf(sender);
    if (at >= 0) this.#round.splice(at, 1);
  }

  #account(sender: Sender, bytes: number): void {
    sender.window -= bytes;
    this.#window -= bytes;
    this.#sent += bytes;
    this.#dataFrames++;
  }
}
