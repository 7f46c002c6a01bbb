import { describe, expect, it } from 'vitest';
import { localReply, type Exchange, type Response } from '../../src/http/index.ts';
import { http1Codecs } from '../support/http1-codecs.ts';
import { exchangeRaw, RawClient, startListener, statusesIn } from '../support/listener-harness.ts';

const handshake =
  'GET /chat HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** What a cluster does with the socket: answers 101 and echoes until the client ends. */
function tunnel({ request }: Exchange): Response {
  const { socket, head } = request.upgrade!;
  let bytes = 0;
  socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  const echo = (chunk: Uint8Array) => {
    bytes += chunk.length;
    socket.write(chunk);
  };
  const ended = new Promise<{ bytesReceived: number; bytesSent: number }>((resolve) => {
    socket.on('close', () => resolve({ bytesReceived: bytes, bytesSent: bytes }));
  });
  socket.on('data', echo);
  socket.on('end', () => socket.end());
  if (head.length > 0) echo(head);
  socket.resume();
  return { ...localReply(200, 'unused'), status: 101, tunnel: { ended } };
}

describe.each(http1Codecs)('%s: an upgrade', (_name, http1) => {
  it('that the route allows hands over the socket and what came behind the head, and is logged with its bytes', async () => {
    const { port, logs } = await startListener({
      http1,
      upgrades: ['websocket'],
      answer: (exchange) => (exchange.request.upgrade === undefined ? localReply(200, 'plain') : tunnel(exchange)),
    });
    const client = await RawClient.connect(port);
    client.write(`${handshake}early`);
    await client.expects('early');
    client.write(' late');
    expect(await client.expects('early late')).toMatch(/^HTTP\/1\.1 101 /);
    client.socket.end();
    await client.end();
    const [exchange] = await logs(1);
    expect(exchange!.request.upgrade!.protocol).toBe('websocket');
    expect(exchange).toMatchObject({ bytesReceived: 10, bytesSent: 10, responseFlags: [] });
    expect(exchange!.response!.status).toBe(101);
  });

  it('is refused by a filter before the route is asked', async () => {
    const { port, answered } = await startListener({
      http1,
      upgrades: ['websocket'],
      filters: [{ onRequest: () => localReply(401, 'no_token') }],
    });
    const text = await exchangeRaw(port, handshake);
    expect(statusesIn(text)).toEqual([401]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(answered).toHaveLength(0);
  });

  it.each([
    [
      'of a protocol that the route does not allow',
      'GET / HTTP/1.1\r\nHost: t\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    ],
    [
      'that names two protocols',
      'GET / HTTP/1.1\r\nHost: t\r\nConnection: close, Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n',
    ],
    ['without Connection', handshake.replace('Connection: Upgrade', 'Connection: close')],
    ['in HTTP/1.0', handshake.replace('HTTP/1.1', 'HTTP/1.0')],
    [
      'of a POST',
      'POST / HTTP/1.1\r\nHost: t\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi',
    ],
  ])('%s is no upgrade: the request is answered, and the app does not see the field', async (_what, bytes) => {
    const { port, answered } = await startListener({ http1, upgrades: ['websocket'] });
    expect(statusesIn(await exchangeRaw(port, bytes))).toEqual([200]);
    expect(answered).toHaveLength(1);
    expect(answered[0]!.request.upgrade).toBeUndefined();
    for (const name of ['upgrade', 'http2-settings', 'connection'])
      expect(answered[0]!.request.headers.has(name)).toBe(false);
  });

  it('that is declined never makes content of the next request look like a request', async () => {
    const { port, answered } = await startListener({ http1 });
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n';
    const client = await RawClient.connect(port);
    // node:http drops what lies behind such a request in the same packet: here, the head that frames the rest.
    client.write(
      `GET /1 HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nPOST /2 HTTP/1.1\r\nHost: t\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    );
    await client.expects('GET /1\n');
    client.write(smuggled);
    await Promise.race([client.end(), new Promise((resolve) => setTimeout(resolve, 150))]);
    const paths = answered.map(({ request }) => request.path);
    expect(paths).not.toContain('/smuggled');
    // Either the next request is served, or the client is told that nothing more will be.
    if (!paths.includes('/2')) expect(client.received).toMatch(/^connection: close\r$/im);
  });

  it('that is declined may have content, which never looks complete when it is faulty', async () => {
    const outcomes: string[] = [];
    const { port, answered } = await startListener({
      http1,
      config: { request_headers_timeout: '300ms', request_timeout: '300ms' },
      answer: async ({ request }) => {
        await new Promise<void>((resolve, reject) =>
          request.body.pipe({
            data: (chunk) => outcomes.push(Buffer.from(chunk).toString()) > 0,
            end: () => resolve(void outcomes.push('end')),
            error: (error) => reject(error),
          }),
        );
        return localReply(200, 'ok');
      },
    });
    const head =
      'POST /1 HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n';
    const client = await RawClient.connect(port);
    client.write(`${head}5\r\nhello\r\n`);
    await expect.poll(() => outcomes).toEqual(['hello']);
    client.write('5\r\nworld\r\n0\r\n\r\n');
    expect(statusesIn(await client.expects('ok\n'))).toEqual([200]);
    expect(outcomes.splice(0)).toEqual(['hello', 'world', 'end']);

    const faulty = await RawClient.connect(port);
    faulty.write(`${head}5\r\nhello\r\n`);
    await expect.poll(() => answered.length).toBe(2);
    faulty.write('nonsense\r\n');
    // node:http overlooks the fault after a declined upgrade, and the request then is late instead.
    expect([[400], [408]]).toContainEqual(statusesIn(await faulty.end()));
    expect(outcomes).not.toContain('end');
  });
});
