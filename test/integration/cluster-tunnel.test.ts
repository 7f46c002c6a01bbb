import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Attempt, UpstreamResponse } from '../../src/cluster/attempt.ts';
import { Cancellation, Headers, removeHopByHop, UpstreamError } from '../../src/http/index.ts';
import { answering, response } from '../support/scripted-upstream.ts';
import {
  atRest,
  attempt,
  eventually,
  startCluster,
  startUpstream,
  type TestCluster,
} from '../support/cluster-harness.ts';

interface Door {
  readonly port: number;
  /** What became of each upgrade, in order. */
  readonly outcomes: Promise<UpstreamResponse | UpstreamError>[];
  readonly sockets: Duplex[];
}

/** A server that hands every upgrade to the cluster and answers a failure itself, as the listener does. */
async function door({ cluster }: TestCluster, changes: Partial<Attempt> = {}): Promise<Door> {
  const server = http.createServer((_request, reply) => reply.end('no upgrade'));
  const outcomes: Door['outcomes'] = [];
  const sockets: Duplex[] = [];
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    sockets.push(socket);
    const headers = new Headers(request.rawHeaders.slice());
    removeHopByHop(headers);
    headers.delete('host');
    const protocol = request.headers.upgrade!.toLowerCase();
    const tried = attempt({
      method: request.method!,
      path: request.url!,
      authority: request.headers.host!,
      headers,
      ...changes,
    });
    const outcome = new Promise<UpstreamResponse | UpstreamError>((resolve) =>
      cluster.tunnel(tried, { protocol, socket, head }, resolve),
    );
    outcomes.push(outcome);
    void outcome.then((error) => {
      if (!(error instanceof UpstreamError)) return;
      socket.end(
        `HTTP/1.1 ${error.status} Failed\r\nConnection: close\r\nContent-Length: ${error.details.length}\r\n\r\n${error.details}`,
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, outcomes, sockets };
}

/** An app that sends every message back. */
async function echo(): Promise<{ address: string; server: WebSocketServer; requests: http.IncomingMessage[] }> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: true,
    handleProtocols: () => 'chat',
  });
  const requests: http.IncomingMessage[] = [];
  server.on('connection', (socket, request) => {
    requests.push(request);
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`, server, requests };
}

function connect(port: number, path = '/', options: ConstructorParameters<typeof WebSocket>[2] = {}): WebSocket {
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['chat'], options);
  client.on('error', () => {});
  onTestFinished(() => client.terminate());
  return client;
}

const opened = (client: WebSocket) => new Promise((resolve) => client.once('open', resolve));
const closed = (client: WebSocket) => new Promise<number>((resolve) => client.once('close', (code) => resolve(code)));
const nextMessage = (client: WebSocket) =>
  new Promise<Buffer>((resolve) => client.once('message', (data) => resolve(data as Buffer)));
const refused = (client: WebSocket) =>
  new Promise<http.IncomingMessage>((resolve) =>
    client.once('unexpected-response', (_request, answer) => resolve(answer)),
  );

async function textOf(answer: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
}

/** A client that says what it likes. */
async function raw(port: number): Promise<{ socket: net.Socket; text: () => string }> {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  onTestFinished(() => void socket.destroy());
  return { socket, text: () => text };
}

const handshake =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const accept = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n';

describe('a WebSocket', () => {
  it('carries messages of any size both ways, byte for byte', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address] });
    const { port, outcomes } = await door(cluster);
    const client = connect(port, '/room?x=%2f', { headers: { 'X-One': '1', Origin: 'http://a.test' } });
    await opened(client);

    for (const size of [0, 125, 126, 65_535, 65_536, 1024 * 1024]) {
      const sent = Buffer.alloc(size, 'portico');
      const back = nextMessage(client);
      client.send(sent);
      expect(sent.equals(await back)).toBe(true);
    }

    expect(client.protocol).toBe('chat');
    expect(app.requests[0]!.url).toBe('/room?x=%2f');
    expect(app.requests[0]!.headers).toMatchObject({
      'x-one': '1',
      origin: 'http://a.test',
      connection: 'Upgrade',
      upgrade: 'websocket',
    });
    expect(app.requests[0]!.headers.host).toBe(`127.0.0.1:${port}`);
    expect(cluster.cluster.show()).toMatchObject({
      endpoints: [{ active_requests: 1, connections: 1 }],
      circuit_breakers: { max_requests: { used: 1 } },
    });
    const answer = (await outcomes[0]) as UpstreamResponse;
    expect(answer).toMatchObject({ status: 101, endpoint: app.address });
    client.close(4999, 'bye');
    expect(await closed(client)).toBe(4999);
    const { bytesReceived, bytesSent } = await answer.tunnel!.ended;
    expect(bytesReceived).toBeGreaterThan(1000);
    expect(bytesSent).toBeGreaterThan(1000);
    await atRest(cluster);
  });

  it('passes on the close code of the app', async () => {
    const app = await echo();
    const { port } = await door(await startCluster({ endpoints: [app.address] }));
    const client = connect(port);
    await opened(client);

    for (const one of app.server.clients) one.close(1011, 'trouble');

    expect(await closed(client)).toBe(1011);
  });

  it('that the app resets is closed for the client, without a close frame of our own', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address] });
    const { port } = await door(cluster);
    const client = connect(port);
    await opened(client);

    for (const one of app.server.clients) (one as unknown as { _socket: net.Socket })._socket.resetAndDestroy();

    expect(await closed(client)).toBe(1006);
    await atRest(cluster);
  });

  it('whose client vanishes is closed for the app', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address] });
    const { port, outcomes } = await door(cluster);
    const client = connect(port);
    await opened(client);
    const gone = closed([...app.server.clients][0]!);

    client.terminate();

    expect(await gone).toBe(1006);
    await ((await outcomes[0]) as UpstreamResponse).tunnel!.ended;
    await atRest(cluster);
  });

  it('is closed on both sides when it is cancelled', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address] });
    const cancellation = new Cancellation();
    const { port } = await door(cluster, { cancellation });
    const client = connect(port);
    await opened(client);
    const gone = closed([...app.server.clients][0]!);

    cancellation.cancel(new Error('drain time is over'));

    expect(await closed(client)).toBe(1006);
    expect(await gone).toBe(1006);
    await atRest(cluster);
  });

  it('is closed on both sides when no byte moves for too long, and not before', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address] });
    const { port } = await door(cluster, { idleTimeout: 200 });
    const client = connect(port);
    await opened(client);
    for (let n = 0; n < 5; n++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      client.send('still here');
    }
    const begun = performance.now();

    expect(await closed(client)).toBe(1006);
    expect(performance.now() - begun).toBeGreaterThan(150);
    await atRest(cluster);
  });

  it('delivers bytes that came with the handshake once, both ways', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\nFROM-APP`,
      );
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);
    const client = await raw(port);

    client.socket.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${handshake}\r\nFROM-CLIENT`);
    await eventually(
      () => client.text().endsWith('FROM-APP') && upstream.connections[0]!.text.endsWith('FROM-CLIENT'),
      'both arrive',
    );

    expect(client.text().match(/FROM-APP/g)).toHaveLength(1);
    expect(upstream.connections[0]!.text.match(/FROM-CLIENT/g)).toHaveLength(1);
    client.socket.end();
    await upstream.connections[0]!.closed;
    upstream.connections[0]!.fin();
    expect(await ((await outcomes[0]) as UpstreamResponse).tunnel!.ended).toEqual({ bytesReceived: 11, bytesSent: 8 });
    await atRest(cluster);
  });

  it('lets the app finish after the client has sent its last', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\n`,
      );
      await connection.closed;
      await connection.write('LAST WORDS');
      connection.fin();
    });
    const { port } = await door(await startCluster({ endpoints: [upstream.address] }));
    const client = await raw(port);
    client.socket.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${handshake}\r\n`);
    await eventually(() => client.text().includes(' 101 '), 'the tunnel is there');

    client.socket.end('bye');

    await eventually(() => client.text().endsWith('LAST WORDS'), 'the last words arrive');
  });

  it('stops the app when the client does not read', async () => {
    let written = 0;
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\n`,
      );
      const chunk = Buffer.alloc(256 * 1024);
      while (written < 64 * 1024 * 1024) {
        await connection.write(chunk);
        written += chunk.length;
      }
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port } = await door(cluster);
    const client = await raw(port);
    client.socket.pause();
    client.socket.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${handshake}\r\n`);

    let before = -1;
    await eventually(async () => {
      const still = written === before;
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return still && written > 0;
    }, 'the app is stopped');

    expect(written).toBeLessThan(32 * 1024 * 1024);
    client.socket.destroy();
    await atRest(cluster);
  });
});

describe('an upgrade that fails', () => {
  it('because nobody listens is an UpstreamError, and the socket is still the caller’s', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    await new Promise((resolve) => server.close(resolve));
    const cluster = await startCluster({ endpoints: [address] });
    const { port, outcomes } = await door(cluster);

    const answer = await refused(connect(port));

    expect(answer.statusCode).toBe(503);
    expect(await textOf(answer)).toBe('upstream_connect_failure{connection_refused}');
    expect(await outcomes[0]).toMatchObject({ flag: 'UF', untouched: true, endpoint: address });
    await atRest(cluster);
  });

  it.each(['fin', 'rst'] as const)('because the app breaks off by %s is an UpstreamError too', async (end) => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      connection[end]();
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);

    expect((await refused(connect(port))).statusCode).toBe(502);
    expect(await outcomes[0]).toMatchObject({
      flag: 'UC',
      details: 'upstream_reset_before_response',
      untouched: false,
    });
    await atRest(cluster);
  });

  it('because the app is silent runs into the timeout', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster, { perTryTimeout: 100 });

    expect((await refused(connect(port))).statusCode).toBe(504);
    expect(await outcomes[0]).toMatchObject({ flag: 'UT', details: 'upstream_per_try_timeout' });
    await upstream.connections[0]!.closed;
    await atRest(cluster);
  });

  it.each([
    ['a wrong Sec-WebSocket-Accept', 'Sec-WebSocket-Accept: wrong\r\n'],
    ['no Sec-WebSocket-Accept', ''],
  ])('because the app answers 101 with %s opens no tunnel', async (_name, line) => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${line}\r\nHELLO`,
      );
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);

    const answer = await refused(connect(port));

    expect(answer.statusCode).toBe(502);
    expect(await outcomes[0]).toMatchObject({ flag: 'UPE', details: 'upstream_protocol_error{websocket_accept}' });
    await upstream.connections[0]!.closed;
    await atRest(cluster);
  });

  it('because the app answers garbage is a protocol error', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HELLO WORLD\r\n\r\n');
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);

    expect((await refused(connect(port))).statusCode).toBe(502);
    expect(await outcomes[0]).toMatchObject({ flag: 'UPE' });
    await atRest(cluster);
  });

  it.each([
    ['with its length', response(404, 'nothing here', ['X-App: yes'])],
    [
      'in chunks',
      'HTTP/1.1 404 Not Found\r\nX-App: yes\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nnothing \r\n4\r\nhere\r\n0\r\n\r\n',
    ],
  ])('because the app says no gets the app’s answer, %s, and its connection ends', async (_name, text) => {
    const upstream = await startUpstream(answering(text));
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);
    const client = connect(port);

    const answer = await refused(client);

    expect(answer.statusCode).toBe(404);
    expect(answer.headers).toMatchObject({ 'x-app': 'yes', connection: 'close' });
    expect(await textOf(answer)).toBe('nothing here');
    const outcome = (await outcomes[0]) as UpstreamResponse;
    expect(outcome.status).toBe(404);
    expect(outcome.headers.get('x-app')).toBe('yes');
    await outcome.tunnel!.ended;
    await atRest(cluster);
  });

  it('because the client leaves first leaves nothing behind', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);
    const client = connect(port);
    await eventually(() => upstream.connections[0]?.text.endsWith('\r\n\r\n') === true, 'the request arrives');

    client.terminate();

    expect(await outcomes[0]).toMatchObject({ flag: 'DC' });
    await upstream.connections[0]!.closed;
    await atRest(cluster);
  });

  it('and whose client leaves in the middle of the other answer leaves nothing behind', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nunfinished');
    });
    const cluster = await startCluster({ endpoints: [upstream.address] });
    const { port, outcomes } = await door(cluster);
    const client = await raw(port);
    client.socket.write(`GET / HTTP/1.1\r\nHost: t\r\n${handshake}\r\n`);
    await eventually(() => client.text().endsWith('unfinished'), 'the beginning of the answer arrives');

    client.socket.end();

    await ((await outcomes[0]) as UpstreamResponse).tunnel!.ended;
    await upstream.connections[0]!.closed;
    await atRest(cluster);
  });

  it('because there are requests enough already is refused at once', async () => {
    const app = await echo();
    const cluster = await startCluster({ endpoints: [app.address], circuit_breakers: { max_requests: 1 } });
    const { port, outcomes } = await door(cluster);
    const first = connect(port);
    await opened(first);

    expect((await refused(connect(port))).statusCode).toBe(503);
    expect(await outcomes[1]).toMatchObject({ flag: 'UO', details: 'upstream_overflow{max_requests}' });
    first.close();
    await closed(first);
    await atRest(cluster);
    await opened(connect(port));
  });
});

it('other protocols than WebSocket are tunnelled just so, path and headers as they stand', async () => {
  const upstream = await startUpstream(async (connection) => {
    await connection.head();
    await connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
    await connection.write(`got ${await connection.read(4)}`);
    connection.fin();
  });
  const cluster = await startCluster({ endpoints: [upstream.address] });
  const { port, outcomes } = await door(cluster);
  const client = await raw(port);

  client.socket.write(
    'GET /x//1/../2?y=%2f HTTP/1.1\r\nHost: a.test\r\nX-B: 1\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nx-a: 2\r\nX-B: 3\r\n\r\n',
  );
  await eventually(() => client.text().includes(' 101 '), 'the tunnel is there');
  client.socket.write('ping');
  await eventually(() => client.text().endsWith('got ping'), 'the answer comes');

  expect(upstream.connections[0]!.text).toBe(
    'GET /x//1/../2?y=%2f HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nX-B: 1\r\nX-B: 3\r\nx-a: 2\r\n\r\nping',
  );
  await ((await outcomes[0]) as UpstreamResponse).tunnel!.ended;
  await atRest(cluster);
});

it('a hundred tunnels that come and go leave nothing behind', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const app = await echo();
  const cluster = await startCluster({ endpoints: [app.address] });
  const { port, outcomes, sockets } = await door(cluster);

  for (let round = 0; round < 5; round++) {
    const clients = Array.from({ length: 20 }, () => connect(port));
    await Promise.all(clients.map(opened));
    clients.forEach((client, n) => (n % 2 === 0 ? client.terminate() : client.close()));
    await Promise.all(clients.map(async (client) => client.readyState === WebSocket.CLOSED || closed(client)));
  }
  for (const outcome of await Promise.all(outcomes)) await (outcome as UpstreamResponse).tunnel!.ended;

  await atRest(cluster);
  await eventually(() => app.server.clients.size === 0, 'the app has no client left');
  expect(sockets.every((socket) => socket.destroyed)).toBe(true);
  expect(warnings).toEqual([]);
});
