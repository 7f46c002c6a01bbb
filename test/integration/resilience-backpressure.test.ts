import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Portico } from '../support/portico.ts';
import { Random } from '../support/random.ts';
import { startFront } from '../support/resilience.ts';

/** How far the two sides of an exchange have got, for whoever finds it stuck. */
interface Progress {
  readonly what: string;
  readonly up: number;
  readonly down: number;
  clientSent: number;
  appGot: number;
  appSent: number;
  clientGot: number;
}

/** What both sides do, at random: pieces of a few bytes to 200 KiB, pauses of up to 30 ms in writing and in reading. */
const mostPiece = 200 * 1024;
const pause = (random: Random) => new Promise((resolve) => setTimeout(resolve, random.below(30)));

async function writeFitfully(sink: Writable, size: number, random: Random, sent: (count: number) => void) {
  for (let left = size; left > 0 && !sink.destroyed;) {
    const piece = Math.min(left, 1 + random.below(random.next() < 0.5 ? 2000 : mostPiece));
    left -= piece;
    const room = sink.write(Buffer.alloc(piece, 'x'));
    sent(piece);
    if (!room) await once(sink, 'drain');
    if (random.next() < 0.1) await pause(random);
  }
  sink.end();
}

async function readFitfully(source: Readable, random: Random, got: (count: number) => void): Promise<number> {
  let total = 0;
  if (random.next() < 0.3) await pause(random);
  return new Promise((resolve, reject) => {
    source.on('data', (chunk: Buffer) => {
      total += chunk.length;
      got(chunk.length);
      if (random.next() >= 0.1) return;
      source.pause();
      void pause(random).then(() => source.resume());
    });
    source.once('end', () => resolve(total));
    source.once('error', reject);
    source.once('close', () => reject(new Error(`closed after ${total} bytes`)));
  });
}

/** An app that reads fitfully, then answers with as many bytes as the path says, fitfully and sometimes in chunks. */
async function startApp(seed: number, progressOf: (id: string) => Progress): Promise<string> {
  const app = http.createServer((request, response) => {
    const progress = progressOf(String(request.headers['x-id']));
    const random = new Random(seed + Number(request.headers['x-id']));
    void (async () => {
      const read = await readFitfully(request, random, (count) => (progress.appGot += count));
      response.setHeader('x-read', read);
      if (random.next() < 0.5) response.setHeader('content-length', progress.down);
      await writeFitfully(response, progress.down, random, (count) => (progress.appSent += count));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    app.closeAllConnections();
    app.close();
  });
  return `127.0.0.1:${(app.address() as AddressInfo).port}`;
}

interface Answered {
  readonly read: number;
  readonly got: number;
}

type Client = (progress: Progress, id: string, random: Random) => Promise<Answered>;

function overHttp1(portico: Portico): Client {
  // One connection, used again and again: what an exchange leaves behind is met by the next one.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return async (progress, id, random) => {
    const request = http.request({
      port: portico.port(),
      host: '127.0.0.1',
      method: 'POST',
      agent,
      headers: { 'x-id': id },
    });
    if (random.next() < 0.5) request.setHeader('content-length', progress.up);
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    await writeFitfully(request, progress.up, random, (count) => (progress.clientSent += count));
    const response = await answered;
    const got = await readFitfully(response, random, (count) => (progress.clientGot += count));
    return { read: Number(response.headers['x-read']), got };
  };
}

function overHttp2(portico: Portico): Client {
  const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
  onTestFinished(() => session.destroy());
  return async (progress, id, random) => {
    const stream = session.request({ ':method': 'POST', ':path': '/', 'x-id': id });
    const answered = new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve).once('error', reject);
    });
    await writeFitfully(stream, progress.up, random, (count) => (progress.clientSent += count));
    const headers = await answered;
    const got = await readFitfully(stream, random, (count) => (progress.clientGot += count));
    return { read: Number(headers['x-read']), got };
  };
}

/** Fails with what both sides have seen when nothing moves for ten seconds. */
function watched(progress: Progress, work: Promise<Answered>): Promise<Answered> {
  let known = '';
  let timer: NodeJS.Timeout;
  const stuck = new Promise<never>((_resolve, reject) => {
    timer = setInterval(() => {
      const now = JSON.stringify(progress);
      if (now === known) reject(new Error(`stuck: ${now}`));
      known = now;
    }, 10_000);
  });
  return Promise.race([work, stuck]).finally(() => clearInterval(timer));
}

describe('bodies with pauses on all sides arrive whole, one exchange after the other', () => {
  const seed = Number(process.env['PORTICO_SEED'] ?? 1);
  const exchanges = 30;

  it.each([
    ['HTTP/1', overHttp1],
    ['HTTP/2', overHttp2],
  ] as const)('%s', { timeout: 120_000 }, async (_name, protocol) => {
    const all = new Map<string, Progress>();
    const portico = await startFront([await startApp(seed, (id) => all.get(id)!)], { route: { timeout: '0s' } });
    const client = protocol(portico);
    const random = new Random(seed);
    for (let at = 0; at < exchanges; at++) {
      const size = () => random.pick([0, 1, 1000, 65_536, 300_000, 3_000_000]) + random.below(100);
      const progress: Progress = {
        what: `exchange ${at} of seed ${seed}`,
        up: size(),
        down: size(),
        clientSent: 0,
        appGot: 0,
        appSent: 0,
        clientGot: 0,
      };
      all.set(String(at), progress);
      const answer = await watched(progress, client(progress, String(at), new Random(seed * 1000 + at)));
      expect(answer, progress.what).toEqual({ read: progress.up, got: progress.down });
    }
  });
});
