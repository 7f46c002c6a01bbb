/** The app behind every contender: cheap enough that the proxy is what is measured. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const json = Buffer.from(JSON.stringify({ id: 7, name: 'portico', tags: ['front', 'door'], text: 'x'.repeat(52) }));
const bodies = new Map([
  ['/large', Buffer.alloc(100 * 1024, 'x')],
  ['/huge', Buffer.alloc(10 * 1024 * 1024, 'x')],
]);

const server = createServer((request, response) => {
  const body = bodies.get(request.url ?? '');
  if (body !== undefined) {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.byteLength });
    response.end(body);
    return;
  }
  if (request.method === 'POST') {
    let size = 0;
    request.on('data', (chunk: Buffer) => (size += chunk.byteLength));
    request.on('end', () => {
      const body = Buffer.from(JSON.stringify({ size }));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.byteLength });
      response.end(body);
    });
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': json.byteLength });
  response.end(json);
});
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
