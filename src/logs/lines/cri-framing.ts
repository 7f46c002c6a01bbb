import type { CriPrefix } from '../record.ts';
import { joinCutText } from './decode-text.ts';
import type { Framing, FramingOptions } from './framing.ts';
import type { Line } from './line.ts';
import { Multiline } from './multiline.ts';

/** A line as the container runtime writes it, taken apart. */
export interface CriLine {
  readonly prefix: CriPrefix;
  /** The runtime has cut the app's line, and its rest follows. */
  readonly partial: boolean;
  readonly text: string;
}

/**
 * `2016-10-06T00:17:09.669794202Z stdout P text`: time, stream, tags divided by colons of which the first is P (partial) or F (full),
 * and the text, which may be empty (Kubernetes, CRI logging design). undefined for anything else.
 */
export function parseCriLine(text: string): CriLine | undefined {
  const afterTime = text.indexOf(' ');
  if (afterTime < 20 || afterTime > 40 || text.charCodeAt(4) !== 0x2d || text.charCodeAt(10) !== 0x54) return undefined;
  const stream = text.startsWith('stdout ', afterTime + 1)
    ? 'stdout'
    : text.startsWith('stderr ', afterTime + 1)
      ? 'stderr'
      : undefined;
  if (stream === undefined) return undefined;
  const tag = afterTime + 8;
  const partial = text.charCodeAt(tag) === 0x50;
  if (!partial && text.charCodeAt(tag) !== 0x46) return undefined;
  let afterTag = tag + 1;
  if (text.charCodeAt(afterTag) === 0x3a) {
    afterTag = text.indexOf(' ', tag);
    if (afterTag < 0) afterTag = text.length;
  }
  if (afterTag < text.length && text.charCodeAt(afterTag) !== 0x20) return undefined;
  return { prefix: { time: text.slice(0, afterTime), stream }, partial, text: text.slice(afterTag + 1) };
}

/**
 * The format of containerd and CRI-O: joins the parts of what the runtime has cut, per stream, and then lines that belong
 * together. Lines that are not of the format come out as they are, without a prefix.
 */
export class CriFraming implements Framing {
  readonly #stdout: CriStream;
  readonly #stderr: CriStream;

  constructor(options: FramingOptions) {
    this.#stdout = new CriStream(options);
    this.#stderr = new CriStream(options);
  }

  get pendingStart(): number {
    return Math.min(this.#stdout.pendingStart, this.#stderr.pendingStart);
  }

  push(line: Line, now: number): Line | undefined {
    const parsed = parseCriLine(line.text);
    if (parsed === undefined) return line;
    return (parsed.prefix.stream === 'stdout' ? this.#stdout : this.#stderr).push(line, parsed, now);
  }

  take(now: number): Line | undefined {
    return this.#stdout.take(now) ?? this.#stderr.take(now);
  }
}

class CriStream {
  readonly #options: FramingOptions;
  readonly #multiline: Multiline | undefined;
  /** Parts whose last has not come, joined so far. */
  #joined: Line | undefined;
  #joinedAt = 0;

  constructor(options: FramingOptions) {
    this.#options = options;
    this.#multiline = options.multiline === undefined ? undefined : new Multiline(options.multiline);
  }

  get pendingStart(): number {
    return Math.min(this.#multiline?.pendingStart ?? Infinity, this.#joined?.start ?? Infinity);
  }

  push(line: Line, { prefix, partial, text }: CriLine, now: number): Line | undefined {
    const part = { ...line, text, cri: prefix };
    const joined = this.#joined === undefined ? part : this.#join(this.#joined, part);
    this.#joined = partial ? joined : undefined;
    this.#joinedAt = now;
    return partial ? undefined : this.#whole(joined, now);
  }

  take(now: number): Line | undefined {
    const joined = this.#joined;
    if (joined === undefined || now - this.#joinedAt < this.#options.partialTimeout) return this.#multiline?.take(now);
    this.#joined = undefined;
    // With a line before it that it does not belong to, that one comes out now and this one at the next call.
    return this.#whole(joined, this.#joinedAt) ?? this.#multiline?.take(now);
  }

  #whole(line: Line, now: number): Line | undefined {
    return this.#multiline === undefined ? line : this.#multiline.push(line, now);
  }

  #join(before: Line, after: Line): Line {
    const room = this.#options.maxLineBytes - before.text.length;
    const kept = after.text.length > room ? after.text.slice(0, Math.max(0, room)) : after.text;
    const joined = joinCutText(before, { text: kept, escaped: after.escaped });
    return {
      start: before.start,
      end: after.end,
      text: joined.text,
      escaped: joined.escaped,
      cut: before.cut + after.cut + Buffer.byteLength(after.text) - Buffer.byteLength(kept),
      cri: before.cri,
    };
  }
}
