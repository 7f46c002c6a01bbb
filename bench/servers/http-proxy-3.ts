/**
 * http-proxy-3 as its README sets it up: `as-it-comes`, which is a new connection to the app for every request, or with
 * `keep-alive` towards the app, so that the comparison is like for like.
 */
import { readFileSync } from 'node:fs';
import { Agent, createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { createProxyServer } from 'http-proxy-3';

const [port, appPort, tlsPort, certificate, key, connections] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  'keep-alive' | 'as-it-comes',
];
const proxy = createProxyServer({
  target: `http://127.0.0.1:${appPort}`,
  ...(connections === 'keep-alive' && { agent: new Agent({ keepAlive: true, maxSockets: 1024 }) }),
  xfwd: true,
});
const handle: RequestListener = (request, response) => proxy.web(request, response);
createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, handle).listen(
  Number(tlsPort),
  '127.0.0.1',
  () => {
    const plain = createServer(handle);
    plain.on('upgrade', (request, socket, head) => proxy.ws(request, socket as Socket, head));
    plain.listen(Number(port), '127.0.0.1');
  },
);
