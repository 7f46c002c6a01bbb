/**
 * Portico with the codecs that its own replaced: `portico-on-libraries.ts CONFIG [server] [client]`, `server` for node:http
 * towards clients, `client` for undici towards the app. Shows what each step brought.
 */
import { loadConfig } from '../../src/config/index.ts';
import { Server } from '../../src/server.ts';
import { NodeHttp1Codec } from '../../test/support/node-http1/index.ts';
import { UndiciConnection } from '../../test/support/undici/undici-connection.ts';

const [file, ...libraries] = process.argv.slice(2) as [string, ...string[]];
await Server.start(await loadConfig(file), {
  ...(libraries.includes('server') ? { http1: (context) => new NodeHttp1Codec(context) } : {}),
  ...(libraries.includes('client') ? { connect: (socket, options) => new UndiciConnection(socket, options) } : {}),
});
