import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../../filter/define-filter.ts';
import { isSameNode, nodeOf, type FileNode } from './identity.ts';
import { hintedLook, isChanged, isSettled, isWorthReading, nextLook, type FileState } from './look.ts';

/** What a look at a file says. */
export type Seen = Pick<BigIntStats, 'size' | 'mtimeNs' | 'nlink'>;

/** The descriptor of a file, where there is one. */
export interface Opened {
  readonly isOpen: boolean;
  /** undefined when it is not open. */
  stat(): Promise<Seen | undefined>;
}

export interface WhereaboutsParts {
  readonly clock: Clock;
  readonly opened: Opened;
  /** Something that was read waits for its end. */
  readonly waits: () => boolean;
}

/** Where a file is, how large, and when it is looked at: what can be known of it without reading. */
export class Whereabouts {
  state: FileState = 'live';
  path: string;
  /** All that is known to be there was read. */
  caughtUp = false;
  size: number;
  /** Time of the last change, as the file system says it. */
  changed = -1n;
  /** Milliseconds between looks. */
  poll: number;
  readonly #clock: Clock;
  readonly #opened: Opened;
  readonly #waits: () => boolean;
  #node: FileNode;
  #settled = false;
  #lastLook: number;
  #lastGrowth: number;
  #nextLook = 0;

  constructor(
    { path, node, size, poll }: { path: string; node: FileNode; size: number; poll: number },
    { clock, opened, waits }: WhereaboutsParts,
  ) {
    this.path = path;
    this.#node = node;
    this.size = size;
    this.poll = poll;
    this.#clock = clock;
    this.#opened = opened;
    this.#waits = waits;
    this.#lastLook = clock.monotonic();
    this.#lastGrowth = this.#lastLook;
  }

  get node(): FileNode {
    return this.#node;
  }

  /** Milliseconds, never jumping, when it wants to be looked at. */
  get nextLook(): number {
    return this.#nextLook;
  }

  /** When it was last seen to change. */
  get lastGrowth(): number {
    return this.#lastGrowth;
  }

  hint(): void {
    this.#nextLook = hintedLook(this.#nextLook, this.#lastLook, this.poll);
  }

  lookSoon(): void {
    this.#nextLook = 0;
  }

  /**
   * Sees whether it has grown, shrunk or moved.
   * @throws the error of the file system, when nothing could be seen
   */
  async look(): Promise<void> {
    this.#lastLook = this.#clock.monotonic();
    try {
      if (this.state === 'live') await this.#lookAtPath();
      else if (this.state === 'rotated' || this.state === 'deleted') await this.#lookAtDescriptor();
    } finally {
      const { state } = this;
      this.#nextLook = nextLook({ state, lastLook: this.#lastLook, lastGrowth: this.#lastGrowth }, this.poll);
    }
  }

  /** It is no longer at its path. @throws the error of the file system */
  async left(): Promise<void> {
    this.state = 'rotated';
    this.#lastGrowth = this.#lastLook;
    this.caughtUp = false;
    await this.#lookAtDescriptor();
  }

  /** Whether what was found at its path is this file. */
  isOurs(found: FileNode): boolean {
    if (!isSameNode(this.#node, found, this.#opened.isOpen)) return false;
    this.#node = this.#node.born === undefined ? found : this.#node;
    return true;
  }

  async #lookAtPath(): Promise<void> {
    let found: BigIntStats;
    try {
      found = await stat(this.path, { bigint: true });
    } catch (error) {
      if (!isGone(error)) throw error;
      return this.left();
    }
    if (this.state !== 'live') return;
    if (this.isOurs(nodeOf(found))) this.#saw(found);
    else await this.left();
  }

  async #lookAtDescriptor(): Promise<void> {
    const found = await this.#opened.stat();
    if (found === undefined) return;
    if (found.nlink === 0n && this.state === 'rotated') this.state = 'deleted';
    this.#saw(found);
  }

  #saw({ size, mtimeNs }: Seen): void {
    const seen = { size: Number(size), changed: mtimeNs };
    const before = { size: this.size, changed: this.changed, settled: this.#settled };
    if (isChanged(seen, before)) this.#lastGrowth = this.#lastLook;
    if (this.caughtUp && !isWorthReading(seen, before, this.state, this.#waits())) return;
    this.#settled = isSettled(seen, this.#clock.now());
    // Smaller than it was: reading finds out why, and how much was lost.
    this.size = Math.max(seen.size, this.size);
    this.changed = seen.changed;
    this.caughtUp = false;
  }
}

/** Whether an error says that nothing is at a path. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
