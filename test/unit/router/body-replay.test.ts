import { describe, expect, it } from 'vitest';
import { BodyStream, Headers, textBody, type Body, type BodySink } from '../../../src/http/index.ts';
import { replayable } from '../../../src/router/body-replay.ts';
import { seeded } from './parts.ts';

/** A client that uploads, and what it was asked. */
function upload(length?: number) {
  const asked = { resumed: 0, cancelled: undefined as Error | undefined };
  const stream = new BodyStream(length, {
    resume: () => void asked.resumed++,
    cancel: (reason) => void (asked.cancelled = reason),
  });
  return { stream, asked, push: (text: string) => stream.push(Buffer.from(text)) };
}

/** Reads like an upstream connection; `room` is the number of chunks it takes before it asks for silence. */
function reader(body: Body, room = Infinity) {
  const seen = {
    text: '',
    ended: 0,
    error: undefined as Error | undefined,
    trailers: undefined as Headers | undefined,
  };
  const sink: BodySink = {
    data(chunk) {
      seen.text += Buffer.from(chunk).toString();
      return --room > 0;
    },
    end(trailers) {
      seen.ended++;
      seen.trailers = trailers;
    },
    error: (error) => void (seen.error = error),
  };
  body.pipe(sink);
  return {
    seen,
    resume(more = Infinity) {
      room = more;
      body.resume();
    },
  };
}

function replay(body: Body, limit = 1024) {
  const told = { whole: 0 };
  return { body: replayable(body, limit, { whole: () => void told.whole++ }), told };
}

const many = (count: number) => 'x'.repeat(count);

describe('a body for several tries', () => {
  it('gives a whole body to every try without reading it', () => {
    const whole = textBody('abc');
    const { body, told } = replay(whole, 0);
    expect([reader(body.next()).seen, reader(body.next()).seen].map(({ text, ended }) => [text, ended])).toEqual([
      ['abc', 1],
      ['abc', 1],
    ]);
    expect([body.replayable, told.whole, body.next()]).toEqual([true, 1, whole]);
  });

  it('takes a stream that has ended already as a whole body', () => {
    const { stream, push } = upload();
    push('abc');
    stream.end();
    const { body } = replay(stream, 0);
    expect([reader(body.next()).seen.text, reader(body.next()).seen.text, body.replayable]).toEqual([
      'abc',
      'abc',
      true,
    ]);
  });

  it('is whole, to be sent in one write, when all of it arrived before a try wanted it', () => {
    const { stream, push } = upload(4);
    const { body, told } = replay(stream);
    const first = body.next();
    push('ab');
    expect([first.whole, first.length]).toEqual([undefined, 4]);
    push('cd');
    stream.end();
    expect(told.whole).toBe(1);
    expect(Buffer.from(first.whole!).toString()).toBe('abcd');
    expect(reader(first).seen).toMatchObject({ text: 'abcd', ended: 1 });
    expect(Buffer.from(body.next().whole!).toString()).toBe('abcd');
  });

  it('passes chunks straight on while they arrive', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    const { seen } = reader(body.next());
    push('a');
    expect(seen.text).toBe('a');
    push('b');
    stream.end(Headers.of({ t: '1' }));
    expect([seen.text, seen.ended, seen.trailers?.get('t'), asked.resumed]).toEqual(['ab', 1, '1', 0]);
  });

  it('replays what a try took, and goes on with what arrives', () => {
    const { stream, push } = upload();
    const { body } = replay(stream);
    const first = reader(body.next());
    push('one ');
    push('two ');
    body.detach();
    push('three ');
    const second = reader(body.next());
    push('four');
    stream.end(Headers.of({ t: '1' }));
    expect(first.seen).toMatchObject({ text: 'one two ', ended: 0 });
    expect(first.seen.error?.message).toBe('the try is over');
    expect(second.seen).toMatchObject({ text: 'one two three four', ended: 1 });
    expect(second.seen.trailers?.get('t')).toBe('1');
  });

  it('replays all bytes when a try took only some of those that are here', () => {
    const { stream, push } = upload();
    const { body } = replay(stream);
    const first = reader(body.next(), 1);
    push('a');
    push('b');
    expect(first.seen.text).toBe('a');
    const second = reader(body.next());
    push('c');
    stream.end();
    expect([second.seen.text, second.seen.ended]).toEqual(['abc', 1]);
    first.resume();
    expect(first.seen.text).toBe('a');
  });

  it('holds back the client when a try is slow, and wakes it when the try has caught up', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    const slow = reader(body.next(), 1);
    expect([push('a'), push('b')]).toEqual([false, false]);
    slow.resume(1);
    expect([slow.seen.text, asked.resumed]).toEqual(['ab', 0]);
    slow.resume();
    expect([slow.seen.text, asked.resumed, push('c')]).toEqual(['ab', 1, true]);
    expect(slow.seen.text).toBe('abc');
  });

  it('understands a try that asks for more while it takes a chunk', () => {
    const { stream, push } = upload();
    const { body } = replay(stream);
    const part = body.next();
    push('a');
    push('b');
    let text = '';
    part.pipe({
      data(chunk) {
        text += Buffer.from(chunk).toString();
        part.resume();
        return false;
      },
      end: () => void (text += '.'),
      error: () => {},
    });
    push('c');
    stream.end();
    expect(text).toBe('abc.');
  });

  it('reads at most 64 KiB ahead of a try that does not want any yet', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream, 1 << 20);
    const part = body.next();
    expect([push(many(40_000)), push(many(40_000))]).toEqual([true, false]);
    const { seen } = reader(part);
    expect([seen.text.length, asked.resumed]).toEqual([80_000, 1]);
  });

  it('wakes a client for the next try that was held back by the one before', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    reader(body.next(), 1);
    expect(push('a')).toBe(false);
    const part = body.next();
    expect(asked.resumed).toBe(1);
    push('b');
    stream.end();
    expect(Buffer.from(part.whole!).toString()).toBe('ab');
  });

  it('keeps up to the limit and not a byte more', () => {
    const { stream, push } = upload();
    const { body } = replay(stream, 8);
    const first = reader(body.next());
    push('12345678');
    expect(body.replayable).toBe(true);
    push('9');
    expect(body.replayable).toBe(false);
    push('0');
    stream.end();
    expect([first.seen.text, first.seen.ended]).toEqual(['1234567890', 1]);
    expect(() => body.next()).toThrow('cannot be replayed');
  });

  it('keeps nothing of a body that announces more than the limit, yet can start again before the first byte', () => {
    const { stream, push } = upload(9);
    const { body } = replay(stream, 8);
    body.next();
    push('1');
    const second = reader(body.next());
    expect([second.seen.text, body.replayable]).toEqual(['1', false]);
  });

  it('is still whole beyond the limit as long as no try has taken a byte', () => {
    const { stream, push } = upload();
    const { body } = replay(stream, 2);
    body.next();
    push('1234');
    expect(body.replayable).toBe(true);
    expect([reader(body.next()).seen.text, body.replayable]).toEqual(['1234', false]);
  });

  it('keeps nothing with a limit of 0', () => {
    const { stream, push } = upload();
    const { body } = replay(stream, 0);
    const { seen } = reader(body.next());
    push('a');
    expect([seen.text, body.replayable]).toEqual(['a', false]);
  });

  it('breaks the try when the client breaks off, and never ends it', () => {
    const { stream, push } = upload();
    const { body } = replay(stream);
    const first = reader(body.next());
    push('a');
    stream.fail(new Error('gone'));
    expect(first.seen).toMatchObject({ text: 'a', ended: 0, error: new Error('gone') });
    expect([body.replayable, body.failure?.message]).toEqual([false, 'gone']);
    expect(reader(body.next()).seen).toMatchObject({ ended: 0, error: new Error('gone') });
  });

  it('lets the client go on when a try wants no more but another one may', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    const part = body.next();
    const first = reader(part);
    push('a');
    part.cancel(new Error('reset'));
    push('b');
    const second = reader(body.next());
    expect([first.seen.text, first.seen.error, second.seen.text, asked.cancelled]).toEqual([
      'a',
      undefined,
      'ab',
      undefined,
    ]);
  });

  it('tells the client when the try whose response was taken wants no more', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    const part = body.next();
    reader(part);
    push('a');
    body.commit();
    expect(asked.cancelled).toBeUndefined();
    part.cancel(new Error('enough'));
    expect(asked.cancelled?.message).toBe('enough');
  });

  it('tells the client so too when the try wanted no more already', () => {
    const { stream, asked } = upload();
    const { body } = replay(stream);
    const part = body.next();
    reader(part);
    part.cancel(new Error('enough'));
    body.commit();
    expect(asked.cancelled?.message).toBe('enough');
  });

  it('keeps nothing more once a response was taken, and goes on streaming', () => {
    const { stream, push } = upload();
    const { body } = replay(stream);
    const { seen } = reader(body.next());
    push('a');
    body.commit();
    expect(body.replayable).toBe(false);
    push('b');
    stream.end();
    expect([seen.text, seen.ended]).toEqual(['ab', 1]);
  });

  it('breaks the try and tells the client when nothing came of it', () => {
    const { stream, push, asked } = upload();
    const { body } = replay(stream);
    const { seen } = reader(body.next());
    push('a');
    body.cancel(new Error('no more tries'));
    expect([seen.ended, seen.error?.message, asked.cancelled?.message]).toEqual([
      0,
      'the try is over',
      'no more tries',
    ]);
  });

  it('gives the last try every byte, however the ones before it stopped and paused', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const { stream, push } = upload();
      const limit = random() < 0.5 ? 40 : 1000;
      const { body, told } = replay(stream, limit);
      const pauses = (): number => (random() < 0.5 ? Infinity : 1 + Math.floor(random() * 3));
      let sent = '';
      let tries = 1;
      let current = reader(body.next(), pauses());
      for (let step = 0; step < 30; step++) {
        const dice = random();
        if (dice < 0.5) {
          const part = many(Math.floor(random() * 5)) + String(step);
          sent += part;
          push(part);
        } else if (dice < 0.8) {
          current.resume(pauses());
        } else if (body.replayable) {
          current = reader(body.next(), pauses());
          tries++;
        }
        expect(sent.startsWith(current.seen.text)).toBe(true);
      }
      stream.end();
      current.resume();
      current.resume();
      expect([seed, tries, current.seen.text, current.seen.ended]).toEqual([seed, tries, sent, 1]);
      expect(told.whole).toBe(1);
    }
  });
});
