import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startApp } from '../support/app.ts';
import { startPortico } from '../support/portico.ts';

async function startEcho() {
  const app = await startApp();
  const server = new WebSocketServer({ server: app.server });
  onTestFinished(() => server.close());
  server.on('connection', (socket, request) => {
    socket.send(`hello ${request.url} ${String(request.headers['x-forwarded-for'])}`);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  return { app, server };
}

function configFor(port: number, filters = '[]'): string {
  return `listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: ${filters}
clusters: [{ name: app, endpoints: ['127.0.0.1:${port}'] }]`;
}

it('a WebSocket passes both ways, with what the app sent at once, close codes and reasons', async () => {
  const { app, server } = await startEcho();
  const portico = await startPortico(configFor(app.port));
  const client = new WebSocket(`ws://127.0.0.1:${portico.port()}/chat?room=1`);
  const greeting = (await once(client, 'message')) as [Buffer];
  expect(greeting[0].toString()).toBe('hello /chat?room=1 127.0.0.1');
  for (const size of [0, 125, 126, 65_535, 65_536, 1024 * 1024]) {
    client.send(Buffer.alloc(size, 'x'));
    const [echoed] = (await once(client, 'message')) as [Buffer];
    expect(echoed.length).toBe(size);
  }
  const atApp = new Promise<[number, string]>((resolve) => {
    for (const socket of server.clients) socket.on('close', (code, reason) => resolve([code, reason.toString()]));
  });
  client.close(4999, 'done here');
  expect(await atApp).toEqual([4999, 'done here']);
  await expect.poll(() => portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
});

it('filters decide before the app is asked for the upgrade', async () => {
  const { app, server } = await startEcho();
  let connections = 0;
  server.on('connection', () => connections++);
  const portico = await startPortico(configFor(app.port, '[{ name: ./no.ts }]'), {
    files: {
      'no.ts': `import { defineFilter, localReply } from 'portico';
export default defineFilter({ doc: 'Refuses.', create: () => ({ onRequest: () => localReply(403, 'no') }) });`,
    },
  });
  const client = new WebSocket(`ws://127.0.0.1:${portico.port()}/`);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
  expect([response.statusCode, connections]).toEqual([403, 0]);
  client.on('error', () => {});
  client.terminate();
});

it('a client that leaves closes the connection to the app, and an app that resets closes the client', async () => {
  const { app, server } = await startEcho();
  const portico = await startPortico(configFor(app.port));
  const leaving = new WebSocket(`ws://127.0.0.1:${portico.port()}/`);
  await once(leaving, 'message');
  leaving.terminate();
  await expect.poll(() => server.clients.size).toBe(0);

  const staying = new WebSocket(`ws://127.0.0.1:${portico.port()}/`);
  await once(staying, 'message');
  for (const socket of server.clients) socket.terminate();
  const [code] = (await once(staying, 'close')) as [number];
  expect(code).toBe(1006);
});

it('an upgrade that the route does not allow is an ordinary request, with Upgrade stripped', async () => {
  const { app } = await startEcho();
  const portico = await startPortico(`${configFor(app.port)}
virtual_hosts: [{ name: app, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: app, upgrades: [] } }] }]`);
  const client = new WebSocket(`ws://127.0.0.1:${portico.port()}/`);
  client.on('error', () => {});
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
  expect(response.statusCode).toBe(200);
  expect(app.requests).toEqual(['GET /']);
  client.terminate();
});
