import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { readAsStream, readDirectly } from '../../../src/socket/read-directly.ts';
import { makeAuthority } from '../../support/certificates.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

interface Pair {
  /** Writes. */
  readonly far: Socket;
  /** Is read; it was accepted. */
  readonly near: Socket;
}

async function pairFrom(server: Server, accepted: 'connection' | 'secureConnection', make: (port: number) => Socket) {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const far = make((server.address() as AddressInfo).port);
  const [near] = (await once(server, accepted)) as [Socket];
  open.push(server, { close: () => far.destroy() }, { close: () => near.destroy() });
  return { far, near };
}

function tcpPair(): Promise<Pair> {
  return pairFrom(createServer({ noDelay: true }), 'connection', (port) => connect({ port, noDelay: true }));
}

async function tlsPair(): Promise<Pair> {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue('localhost');
  return pairFrom(createTlsServer({ cert, key }), 'secureConnection', (port) =>
    connectTls({ port, ca: authority.cert, servername: 'localhost' }),
  );
}

/** Collects what a reader is told. */
class Heard {
  readonly pieces: Buffer[] = [];
  #wanted = 0;
  #here: () => void = () => {};
  readonly reader = (bytes: Buffer): void => {
    this.pieces.push(bytes);
    if (this.text.length >= this.#wanted) this.#here();
  };

  get text(): string {
    return Buffer.concat(this.pieces).toString();
  }

  /** Resolves with everything when it is so long. */
  async until(length: number): Promise<string> {
    this.#wanted = length;
    if (this.text.length < length) await new Promise<void>((resolve) => (this.#here = resolve));
    return this.text;
  }
}

function hearing(near: Socket): Heard {
  const heard = new Heard();
  readDirectly(near, heard.reader);
  return heard;
}

describe.each([
  ['TCP', tcpPair],
  ['TLS', tlsPair],
])('a socket of %s that is read directly', (_name, makePair) => {
  test('tells its reader every byte, in order', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    const sent = Array.from({ length: 40_000 }, (_, index) => String(index)).join();
    far.write(sent);
    expect(await heard.until(sent.length)).toBe(sent);
  });

  test('does not write over what it has told', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    far.write('first');
    await heard.until(5);
    far.write('other');
    await heard.until(10);
    expect(heard.pieces.map(String)).toEqual(['first', 'other']);
  });

  test('makes no ArrayBuffer for every read: this Node.js can be read from directly', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    for (let length = 5; length <= 20; length += 5) {
      far.write('piece');
      await heard.until(length);
    }
    // A new piece of memory may begin in between.
    expect(new Set(heard.pieces.map(({ buffer }) => buffer)).size).toBeLessThan(3);
    // Whoever keeps a few bytes must not keep much along with them.
    for (const { buffer } of heard.pieces) expect(buffer.byteLength).toBeLessThanOrEqual(8192);
  });

  test('keeps what comes while it is paused, and tells it afterwards', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    far.write('before ');
    await heard.until(7);
    near.pause();
    await new Promise((resolve) => far.write('meanwhile ', resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heard.text).toBe('before ');
    near.resume();
    far.write('after');
    expect(await heard.until(22)).toBe('before meanwhile after');
  });

  test('tells nothing while its reader has paused it, and goes on afterwards', async () => {
    const { far, near } = await makePair();
    const heard = new Heard();
    let toldWhilePaused = 0;
    readDirectly(near, (bytes) => {
      if (near.isPaused()) toldWhilePaused++;
      heard.reader(bytes);
      near.pause();
      setImmediate(() => near.resume());
    });
    const sent = 'x'.repeat(500_000);
    far.write(sent);
    expect(await heard.until(sent.length)).toBe(sent);
    expect(toldWhilePaused).toBe(0);
  });

  test('tells what was put back before what comes', async () => {
    const { far, near } = await makePair();
    far.write('seen ');
    const [first] = (await once(near, 'data')) as [Buffer];
    near.pause();
    expect(String(first)).toBe('seen ');
    const heard = hearing(near);
    near.unshift(first);
    near.resume();
    far.write('and new');
    expect(await heard.until(12)).toBe('seen and new');
  });

  test('says when the other side has ended', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    far.end('bye');
    await once(near, 'end');
    expect(heard.text).toBe('bye');
  });

  test('is read as a stream again by who gets it next', async () => {
    const { far, near } = await makePair();
    const heard = hearing(near);
    far.write('mine');
    await heard.until(4);
    readAsStream(near, heard.reader);
    near.pause();
    const next = new Heard();
    near.on('data', next.reader);
    far.write('yours');
    near.resume();
    expect(await next.until(5)).toBe('yours');
    expect(heard.text).toBe('mine');
    near.off('data', next.reader);
    readDirectly(near, heard.reader);
    far.write(' again');
    expect(await heard.until(10)).toBe('mine again');
  });

  test('is read as a stream where Node.js offers nothing else', async () => {
    const { far, near } = await makePair();
    Object.defineProperty((near as unknown as { _handle: object })._handle, 'useUserBuffer', { value: undefined });
    const heard = hearing(near);
    far.write('all the same');
    expect(await heard.until(12)).toBe('all the same');
  });
});

test('sockets that are read at the same time do not hear each other', async () => {
  const pairs = await Promise.all(Array.from({ length: 20 }, tcpPair));
  const heard = pairs.map(({ near }) => hearing(near));
  for (let round = 0; round < 50; round++)
    pairs.forEach(({ far }, index) => far.write(`${String(index).padStart(2, '0')}:${round % 10};`));
  await Promise.all(heard.map((one) => one.until(5 * 50)));
  heard.forEach((one, index) => {
    const own = String(index).padStart(2, '0');
    expect(one.text).toBe(Array.from({ length: 50 }, (_, round) => `${own}:${round % 10};`).join(''));
  });
});
