import { describe, expect, it } from 'vitest';
import { Headers, removeHopByHop } from '../../../src/http/index.ts';

describe('headers', () => {
  it('keeps order, case and duplicates', () => {
    const headers = new Headers(['X-B', '1', 'x-a', '2', 'x-b', '3']);
    expect(headers.flat).toEqual(['X-B', '1', 'x-a', '2', 'x-b', '3']);
    expect(headers.get('x-B')).toBe('1, 3');
    expect(headers.getAll('X-b')).toEqual(['1', '3']);
    expect(headers.get('missing')).toBeUndefined();
  });

  it('replaces every line of a name at the place of the first', () => {
    const headers = new Headers(['a', '1', 'b', '2', 'A', '3']);
    headers.set('a', '9');
    expect(headers.flat).toEqual(['a', '9', 'b', '2']);
    headers.set('c', '4');
    expect(headers.flat).toEqual(['a', '9', 'b', '2', 'c', '4']);
  });

  it('deletes every line of a name and says whether there was one', () => {
    const headers = new Headers(['a', '1', 'b', '2', 'A', '3']);
    expect(headers.delete('a')).toBe(true);
    expect(headers.delete('a')).toBe(false);
    expect(headers.flat).toEqual(['b', '2']);
  });

  it.each([
    ['a line feed in a value', 'x', 'a\nb'],
    ['a carriage return in a value', 'x', 'a\rb'],
    ['NUL in a value', 'x', 'a\0'],
    ['a character beyond Latin-1 in a value', 'x', 'ł'],
    ['a space in a name', 'x y', 'a'],
    ['a colon in a name', 'x:', 'a'],
    ['an empty name', '', 'a'],
  ])('refuses %s', (_, name, value) => {
    expect(() => new Headers().append(name, value)).toThrow(TypeError);
    expect(() => new Headers().set(name, value)).toThrow(TypeError);
    expect(() => new Headers([name, value])).toThrow(TypeError);
  });
});

describe('hop-by-hop fields', () => {
  it.each<[string, string[], string[]]>([
    ['go with the fields that Connection names', ['Connection', 'close, X-Foo', 'X-Foo', '1', 'Y', '2'], ['Y', '2']],
    ['go without being named', ['Keep-Alive', 'timeout=5', 'TE', 'trailers', 'Upgrade', 'h2c', 'A', '1'], ['A', '1']],
    ['include framing', ['Transfer-Encoding', 'chunked', 'Trailer', 'x', 'A', '1'], ['A', '1']],
    [
      'cannot take content-length along',
      ['Connection', 'content-length', 'Content-Length', '5'],
      ['Content-Length', '5'],
    ],
    [
      'are found in several Connection lines',
      ['connection', 'a', 'Connection', 'b', 'a', '1', 'b', '2', 'c', '3'],
      ['c', '3'],
    ],
  ])('%s', (_, before, after) => {
    const headers = new Headers(before);
    removeHopByHop(headers);
    expect(headers.flat).toEqual(after);
  });

  it('spare nominated fields that the caller protects', () => {
    const headers = new Headers(['Connection', 'x-forwarded-for', 'x-forwarded-for', '10.0.0.1']);
    removeHopByHop(headers, (name) => name.startsWith('x-forwarded-'));
    expect(headers.flat).toEqual(['x-forwarded-for', '10.0.0.1']);
  });
});
