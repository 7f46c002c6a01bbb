import { BodyStream, type Body } from './body.ts';

/** Reads a body chunk by chunk, with back-pressure. Leaving the loop early cancels the body. */
export async function* chunksOf(body: Body): AsyncGenerator<Uint8Array, void, void> {
  const waiting: Uint8Array[] = [];
  let wake: () => void = () => {};
  // A holder, because the compiler does not see that the sink changes it.
  const source: { state: 'open' | 'ended' | Error } = { state: 'open' };
  body.pipe({
    data(chunk) {
      waiting.push(chunk);
      wake();
      return false;
    },
    end() {
      source.state = 'ended';
      wake();
    },
    error(error) {
      source.state = error;
      wake();
    },
  });
  let finished = false;
  try {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (source.state instanceof Error) throw source.state;
      if (source.state === 'ended') {
        finished = true;
        return;
      }
      const woken = new Promise<void>((resolve) => (wake = resolve));
      body.resume();
      if (waiting.length === 0 && source.state === 'open') await woken;
    }
  } finally {
    if (!finished) body.cancel(new Error('the reader of the body left'));
  }
}

/** A body of unknown length made of what a generator yields; an error thrown there breaks the message visibly. */
export function bodyFrom(chunks: AsyncIterable<Uint8Array>): Body {
  const iterator = chunks[Symbol.asyncIterator]();
  let wake: () => void = () => {};
  let cancelled = false;
  const stream = new BodyStream(undefined, {
    resume: () => wake(),
    cancel() {
      cancelled = true;
      wake();
      iterator.return?.().then(undefined, () => {});
    },
  });
  void (async () => {
    try {
      for (;;) {
        const next = await iterator.next();
        if (cancelled) return;
        if (next.done === true) return stream.end();
        // The wake-up must be armed before push: a sink may resume from inside it.
        const woken = new Promise<void>((resolve) => (wake = resolve));
        if (next.value.byteLength > 0 && !stream.push(next.value)) await woken;
      }
    } catch (error) {
      stream.fail(error instanceof Error ? error : new Error(String(error)));
    }
  })();
  return stream;
}

/** Reads the whole body, at most `limit` bytes. @throws RangeError beyond it, or the error that broke the body */
export async function readAll(body: Body, limit: number): Promise<Uint8Array> {
  if (body.whole !== undefined && body.whole.byteLength <= limit) return body.whole;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(body)) {
    size += chunk.byteLength;
    if (size > limit) throw new RangeError(`the body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
