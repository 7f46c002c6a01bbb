import type { Random } from '../support/random.ts';

/** Longer ones cost time and find nothing that shorter ones do not; limits have cases of their own. */
const longest = 8192;

const lines = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: xchunked',
  'transfer-encoding:\tCHUNKED ',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 11',
  'Content-Length: 18446744073709551617',
  'Content-Length: -1',
  'Connection: close',
  'Connection: keep-alive, x-a',
  'Connection: upgrade',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'TE: trailers',
  'Trailer: x',
  'Host: t',
  'Host: other',
  'X-Forwarded-For: 1.2.3.4',
  'Keep-Alive: timeout=1',
  'X_A: b',
  ' folded',
  'no colon',
  ': no name',
];
const pieces = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\r\r\n',
  '\n\r',
  '\0',
  '\t',
  ' ',
  ':',
  ';',
  ',',
  '#',
  '%',
  '%2e%2e',
  '/../',
  '\\',
  '"',
  '\x7f',
  '\x80',
  '\xff',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  '5;a=b\r\n',
  'ffffffff\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
  ' HTTP/1.1',
  ' HTTP/1.0',
  'http://t/',
  '*',
  '__proto__',
];
const numbers = [
  '0',
  '1',
  '2',
  '5',
  '10',
  '00',
  '01',
  '-1',
  '+1',
  '0x1',
  '1e1',
  '99',
  '100',
  '101',
  '204',
  '304',
  '600',
  '4294967295',
  '4294967296',
  '9007199254740992',
  '18446744073709551616',
  '1'.repeat(40),
];

type Mutation = (text: string, random: Random, seeds: readonly string[]) => string;

const mutations: readonly Mutation[] = [
  function changeByte(text, random) {
    const at = random.below(text.length);
    return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
  },
  function flipBit(text, random) {
    const at = random.below(text.length);
    return (
      text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) ^ (1 << random.below(8))) & 255) + text.slice(at + 1)
    );
  },
  function insertByte(text, random) {
    const at = random.below(text.length + 1);
    return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at);
  },
  function insertPiece(text, random) {
    const at = random.below(text.length + 1);
    return text.slice(0, at) + random.pick(pieces) + text.slice(at);
  },
  function removeRange(text, random) {
    const at = random.below(text.length);
    return text.slice(0, at) + text.slice(at + 1 + random.below(8));
  },
  function repeatRange(text, random) {
    const at = random.below(text.length);
    const range = text.slice(at, at + 1 + random.below(20));
    return text.slice(0, at) + range.repeat(1 + random.below(4)) + text.slice(at);
  },
  function changeCase(text, random) {
    const at = random.below(text.length);
    const end = at + 1 + random.below(12);
    return (
      text.slice(0, at) +
      text.slice(at, end).replace(/[a-z]/gi, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase())) +
      text.slice(end)
    );
  },
  function changeNumber(text, random) {
    const found = [...text.matchAll(/\d+/g)];
    if (found.length === 0) return text;
    const number = random.pick(found);
    return text.slice(0, number.index) + random.pick(numbers) + text.slice(number.index + number[0].length);
  },
  function changeLineEnd(text, random) {
    const found = [...text.matchAll(/\r\n/g)];
    if (found.length === 0) return text;
    const { index } = random.pick(found);
    return (
      text.slice(0, index) +
      random.pick(['\n', '\r', '', '\r\r\n', '\r\n\r\n', ' \r\n', '\r\n ']) +
      text.slice(index + 2)
    );
  },
  (text, random) => withLines(text, random, (all, at) => all.splice(at, 1)),
  (text, random) => withLines(text, random, (all, at) => all.splice(at, 0, all[random.below(all.length)]!)),
  (text, random) => withLines(text, random, (all, at) => all.splice(at, 0, random.pick(lines))),
  (text, random) => withLines(text, random, (all, at) => all.splice(at, 0, random.pick(lines))),
  (text, random) => withLines(text, random, (all, at) => all.splice(random.below(all.length), 0, ...all.splice(at, 1))),
  function splice(text, random, seeds) {
    const other = random.pick(seeds);
    return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length));
  },
  function append(text, random, seeds) {
    return text + random.pick(seeds);
  },
  function truncate(text, random) {
    return text.slice(0, 1 + random.below(text.length));
  },
];

function withLines(text: string, random: Random, change: (lines: string[], at: number) => void): string {
  const all = text.split('\r\n');
  change(all, random.below(all.length));
  return all.join('\r\n');
}

/** Makes messages that are nearly right out of those that are given. */
export class Mutator {
  readonly #random: Random;
  readonly #seeds: readonly string[];

  /** @param seeds Latin-1, one character a byte */
  constructor(random: Random, seeds: readonly Buffer[]) {
    this.#random = random;
    this.#seeds = seeds.map((bytes) => bytes.toString('latin1', 0, longest)).filter((text) => text !== '');
  }

  /** One change, seldom several. */
  next(): Buffer {
    const random = this.#random;
    let text = random.pick(this.#seeds);
    do {
      text = random.pick(mutations)(text, random, this.#seeds);
    } while (text !== '' && random.below(3) === 0);
    return Buffer.from(text.slice(0, longest), 'latin1');
  }
}
