/** @fastify/http-proxy as its README sets it up. */
import { readFileSync } from 'node:fs';
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [port, appPort, tlsPort, certificate, key] = process.argv.slice(2) as [string, string, string, string, string];

for (const [listen, https] of [
  [port, null],
  [tlsPort, { cert: readFileSync(certificate), key: readFileSync(key) }],
] as const) {
  const server = fastify({ https });
  await server.register(proxy, {
    upstream: `http://127.0.0.1:${appPort}`,
    websocket: true,
    undici: { connections: 256, pipelining: 1 },
  });
  await server.listen({ port: Number(listen), host: '127.0.0.1' });
}
