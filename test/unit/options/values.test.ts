import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import {
  address,
  byteSize,
  cidr,
  compileSafeRegex,
  didYouMean,
  duration,
  showAddress,
  showDuration,
} from '../../../src/options/index.ts';

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['15s', 15_000],
    ['1.5s', 1500],
    ['1h30m', 5_400_000],
    ['0', 0],
    [0, 0],
  ])('%s is %d ms', (text, expected) => {
    expect(v.parse(duration(), text)).toBe(expected);
  });
  it.each(['', '15', 's', '-1s', '1 s', '1y', '999999999999d', null, 5])('%j is refused', (text) => {
    expect(v.safeParse(duration(), text).success).toBe(false);
  });
  it.each([
    [1500, '1500ms'],
    [60_000, '1m'],
    [15_000, '15s'],
  ])('%d ms is shown as %s', (ms, text) => expect(showDuration(ms)).toBe(text));
});

describe('sizes', () => {
  it.each([
    ['64KiB', 65536],
    ['1.5MiB', 1572864],
    ['10kB', 10_000],
    [5, 5],
  ])('%s is %d bytes', (text, expected) => expect(v.parse(byteSize(), text)).toBe(expected));
  it.each(['64K', '-1', '1 0', -1, 1.5, ''])('%j is refused', (text) => {
    expect(v.safeParse(byteSize(), text).success).toBe(false);
  });
});

describe('addresses', () => {
  it.each(['127.0.0.1:80', '[::1]:443', 'localhost:8080', 'unix:/run/app.sock'])(
    '%s reads and shows the same',
    (text) => {
      expect(showAddress(v.parse(address(), text))).toBe(text);
    },
  );
  it.each(['80', ':80', 'localhost', '::1:80', '[::1]', '1.2.3.4:65536', 'unix:', 'a b:80'])(
    '%j is refused',
    (text) => {
      expect(v.safeParse(address(), text).success).toBe(false);
    },
  );
});

describe('networks', () => {
  it.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['fd00::/8', 'fd12::1', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.0/8', 'not an address', false],
  ])('%s contains %s: %s', (network, ip, expected) => expect(v.parse(cidr(), network).contains(ip)).toBe(expected));
  it.each(['10.0.0.0/33', '10.0.0/8', 'x', '10.0.0.0/'])('%j is refused', (text) => {
    expect(v.safeParse(cidr(), text).success).toBe(false);
  });
});

describe('regular expressions', () => {
  it.each(['/api/.*', '/v[0-9]+/users/\\d{1,5}', '(?:a|b)c?', '[^/]+\\.css', '(foo|bar)/x'])(
    '%s is accepted',
    (pattern) => {
      expect(compileSafeRegex(pattern)).toBeInstanceOf(RegExp);
    },
  );
  it.each(['(a+)+', '(a|a)*', '(.*)*b', '(a?)+', '(x)\\1', '(?=a)b', '([a-z]+)*$', '(', '(a{2,})*', '((a+)b?)+'])(
    '%s is refused',
    (pattern) => expect(() => compileSafeRegex(pattern)).toThrow(),
  );
  it('must match the whole text', () => {
    expect(compileSafeRegex('/api').test('/api/x')).toBe(false);
  });
});

describe('did you mean', () => {
  const known = ['max_tokens', 'tokens_per_fill', 'fill_interval', 'key'];
  it.each([
    ['max_token', 'max_tokens'],
    ['maxTokens', 'max_tokens'],
    ['fill-interval', 'fill_interval'],
    ['token_per_fills', 'tokens_per_fill'],
    ['colour', undefined],
  ])('%s → %s', (word, expected) => expect(didYouMean(word, known)).toBe(expected));
});
