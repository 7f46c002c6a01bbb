interface Writer {
  /** Lets go of the file; it is opened again, and looked at anew, by the next write. */
  close(): Promise<void>;
}

interface Turn {
  /** Who has the file open. */
  holder: Writer | undefined;
  last: Promise<unknown>;
}

/**
 * Several writers of one file take turns: after a reload two deliveries may have one dead-letter file until the former one is
 * empty. Each would rename the file under the other, and cut off what the other has added since it looked.
 */
export class FileTurns {
  /** By path. */
  readonly #turns = new Map<string, Turn>();

  /** Writes when those that came before have written. @throws what `write` throws */
  take(path: string, writer: Writer, write: () => Promise<void>): Promise<void> {
    let turn = this.#turns.get(path);
    if (turn === undefined) this.#turns.set(path, (turn = { holder: undefined, last: Promise.resolve() }));
    const { last } = turn;
    const written = last.then(async () => {
      if (turn.holder !== writer) await turn.holder?.close();
      turn.holder = writer;
      await write();
    });
    turn.last = written.catch(() => {});
    return written;
  }

  /** It writes no more: resolves when it has let go of the file. */
  async leave(path: string, writer: Writer): Promise<void> {
    const turn = this.#turns.get(path);
    const { last } = turn ?? {};
    await last;
    await writer.close();
    if (turn?.holder === writer) turn.holder = undefined;
    if (turn !== undefined && turn.last === last && turn.holder === undefined) this.#turns.delete(path);
  }
}
