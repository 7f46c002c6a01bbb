import { describe, expect, it } from 'vitest';
import { parseMetadata } from '../../../src/pod/parse-metadata.ts';

describe('a file of the downward API', () => {
  it.each([
    ['labels', 'app="shop"\npod-template-hash="6d4b"\n', { app: 'shop', 'pod-template-hash': '6d4b' }],
    ['a key with a domain', 'app.kubernetes.io/name="shop"', { 'app.kubernetes.io/name': 'shop' }],
    ['quotes and backslashes', String.raw`note="say \"hi\" to C:\\tmp"`, { note: String.raw`say "hi" to C:\tmp` }],
    ['line ends and tabs', String.raw`note="one\ntwo\tthree"`, { note: 'one\ntwo\tthree' }],
    ['characters by number', String.raw`note="\u00e9\U0001f600\x07"`, { note: 'é😀\x07' }],
    ['bytes that are not UTF-8', String.raw`note="\xff"`, { note: '\ufffd' }],
    ['no value', 'empty=""', { empty: '' }],
    ['what is no entry', 'app="shop"\nnonsense\n="x"\nopen="x\nb="2"', { app: 'shop', b: '2' }],
    ['nothing', '', {}],
  ])('with %s', (_, text, expected) => {
    expect(Object.fromEntries(parseMetadata(text))).toEqual(expected);
  });

  it('is read up to a thousand entries', () => {
    const text = Array.from({ length: 5000 }, (_, at) => `k${at}="v"`).join('\n');
    expect(parseMetadata(text).size).toBe(1000);
  });
});
