import type { Server } from 'node:http';
import { http } from '../../node-http.ts';

/**
 * A small app to stand behind the door: it answers with what it was asked.
 * @returns undefined when something listens on the port already, which is then left to answer
 */
export async function startDemoApp(port: number): Promise<Server | undefined> {
  const server = http.createServer((request, response) => {
    request.resume();
    const answer = {
      app: 'demo',
      method: request.method,
      url: request.url,
      user: request.headers['x-user'],
      headers: request.headers,
    };
    response.writeHead(200, { 'content-type': 'application/json', 'x-powered-by': 'demo app' });
    response.end(`${JSON.stringify(answer, null, 2)}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
