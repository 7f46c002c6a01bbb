import http2 from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { backToRest, startFront } from '../support/resilience.ts';

const siblings = 25;
const size = 200_000;

/** An app that gives as much as one wants, takes uploads, and does not read those to `/stuck`. */
async function start() {
  const app = await startApp((request, response) => {
    if (request.url === '/big') return void response.end(Buffer.alloc(20_000_000, 'x'));
    if (request.url === '/stuck') return void request.pause();
    let got = 0;
    request.on('data', (chunk: Buffer) => (got += chunk.length));
    request.on('end', () => response.end(request.method === 'POST' ? String(got) : Buffer.alloc(size, 'x')));
  });
  const portico = await startFront([`127.0.0.1:${app.port}`], { route: { timeout: '0s' } });
  const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
  onTestFinished(() => session.destroy());
  // Room for all of them: what holds up a sibling is the server then.
  await new Promise<void>((resolve) => session.once('connect', () => resolve()));
  session.setLocalWindowSize(64 * 1024 * 1024);
  return { app, portico, session };
}

/** Bytes of the answer, or the number that it says. */
function ask(session: http2.ClientHttp2Session, body?: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ':path': '/' });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('end', () => resolve(body === undefined ? text.length : Number(text)));
    stream.on('error', reject);
    stream.end(body);
  });
}

describe('RE30 on the connection of an HTTP/2 stream that stands still', () => {
  it.each([
    ['because its client does not read', '/big'],
    ['because its app does not read', '/stuck'],
  ])('%s, downloads and uploads of its siblings pass', { timeout: 60_000 }, async (_, path) => {
    const { app, portico, session } = await start();
    const still = session.request({ ':method': path === '/big' ? 'GET' : 'POST', ':path': path });
    still.on('error', () => {});
    if (path === '/big') {
      still.pause();
      await new Promise((resolve) => still.once('response', resolve));
    } else {
      // More than anybody takes for an app that does not read, and less than a client of Node may hold.
      still.write(Buffer.alloc(6_000_000, 'x'));
      await expect.poll(() => app.requests, { timeout: 10_000 }).toContain('POST /stuck');
    }
    // Twice: a share of a window that is not given back is missed later.
    for (let round = 0; round < 2; round++) {
      const down = await Promise.all(Array.from({ length: siblings }, () => ask(session)));
      expect(down).toEqual(Array.from({ length: siblings }, () => size));
      const up = await Promise.all(Array.from({ length: siblings }, () => ask(session, Buffer.alloc(size, 'x'))));
      expect(up).toEqual(Array.from({ length: siblings }, () => size));
    }
    expect(still.closed).toBe(false);
    still.close(http2.constants.NGHTTP2_CANCEL);
    await backToRest(portico);
  });
});
