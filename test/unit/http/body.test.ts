import { describe, expect, it } from 'vitest';
import {
  BodyStream,
  bodyFrom,
  BytesBody,
  chunksOf,
  readAll,
  type BodySink,
  type BodySource,
} from '../../../src/http/index.ts';

const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString();

function recordingSink(answer: () => boolean = () => true) {
  const chunks: Uint8Array[] = [];
  const seen = { chunks, ended: 0, error: undefined as Error | undefined };
  const sink: BodySink = {
    data(chunk) {
      chunks.push(chunk);
      return answer();
    },
    end: () => void seen.ended++,
    error: (error) => void (seen.error = error),
  };
  return { sink, seen };
}

function recordingSource() {
  const asked = { resumed: 0, cancelled: undefined as Error | undefined };
  const source: BodySource = {
    resume: () => void asked.resumed++,
    cancel: (reason) => void (asked.cancelled = reason),
  };
  return { source, asked };
}

describe('a body stream', () => {
  it('is whole when everything arrived before anybody read it', () => {
    const stream = new BodyStream(6, recordingSource().source);
    stream.push(Buffer.from('abc'));
    expect(stream.whole).toBeUndefined();
    stream.push(Buffer.from('def'));
    stream.end();
    expect(Buffer.from(stream.whole!).toString()).toBe('abcdef');
  });

  it('passes chunks straight through once a sink takes them', () => {
    const stream = new BodyStream(undefined, recordingSource().source);
    const { sink, seen } = recordingSink();
    stream.push(Buffer.from('a'));
    stream.pipe(sink);
    stream.push(Buffer.from('b'));
    stream.end();
    expect([text(seen.chunks), seen.ended]).toEqual(['ab', 1]);
  });

  it('asks the producer to pause at 64 KiB and wakes it when a sink has taken them', () => {
    const { source, asked } = recordingSource();
    const stream = new BodyStream(undefined, source);
    expect(stream.push(Buffer.alloc(40_000))).toBe(true);
    expect(stream.push(Buffer.alloc(40_000))).toBe(false);
    stream.pipe(recordingSink().sink);
    expect(asked.resumed).toBe(1);
  });

  it('holds chunks back while the sink is full, then delivers them in order and wakes the producer once', () => {
    const { source, asked } = recordingSource();
    const stream = new BodyStream(undefined, source);
    const room = { left: 1 };
    const { sink, seen } = recordingSink(() => --room.left > 0);
    stream.pipe(sink);
    expect(stream.push(Buffer.from('a'))).toBe(false);
    expect(stream.push(Buffer.from('b'))).toBe(false);
    stream.end();
    expect([text(seen.chunks), seen.ended]).toEqual(['a', 0]);
    room.left = 5;
    stream.resume();
    expect([text(seen.chunks), seen.ended, asked.resumed]).toEqual(['ab', 1, 0]);
  });

  it('reports a failure and never an end', () => {
    const stream = new BodyStream(undefined, recordingSource().source);
    const { sink, seen } = recordingSink();
    stream.pipe(sink);
    stream.push(Buffer.from('a'));
    stream.fail(new Error('reset'));
    stream.end();
    expect([seen.ended, seen.error?.message]).toEqual([0, 'reset']);
  });

  it('tells the producer once when nobody wants the rest, and the sink nothing more', () => {
    const { source, asked } = recordingSource();
    const stream = new BodyStream(undefined, source);
    const { sink, seen } = recordingSink();
    stream.pipe(sink);
    stream.cancel(new Error('gone'));
    stream.push(Buffer.from('x'));
    stream.end();
    expect([asked.cancelled?.message, seen.chunks.length, seen.ended]).toEqual(['gone', 0, 0]);
  });

  it('can be read only once', () => {
    const stream = new BodyStream(undefined, recordingSource().source);
    stream.pipe(recordingSink().sink);
    expect(() => stream.pipe(recordingSink().sink)).toThrow('already been read');
  });
});

describe('transforming a body', () => {
  it('goes through a generator chunk by chunk', async () => {
    const source = new BodyStream(undefined, { resume() {}, cancel() {} });
    async function* shout(chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield Buffer.from(Buffer.from(chunk).toString().toUpperCase());
    }
    const result = readAll(bodyFrom(shout(chunksOf(source))), 100);
    source.push(Buffer.from('ab'));
    source.push(Buffer.from('cd'));
    source.end();
    expect(Buffer.from(await result).toString()).toBe('ABCD');
  });

  it('breaks the body when the generator throws', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a');
      throw new Error('no more');
    }
    await expect(readAll(bodyFrom(broken()), 100)).rejects.toThrow('no more');
  });

  it('cancels the source when the reader leaves', async () => {
    const { source, asked } = recordingSource();
    const stream = new BodyStream(undefined, source);
    stream.push(Buffer.from('a'));
    for await (const chunk of chunksOf(stream)) if (chunk.length > 0) break;
    expect(asked.cancelled).toBeInstanceOf(Error);
  });

  it('refuses to read more than the limit', async () => {
    await expect(readAll(new BytesBody(Buffer.alloc(11)), 10)).rejects.toThrow(RangeError);
  });
});
