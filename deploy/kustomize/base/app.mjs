import { appendFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:http';

const file = '/var/log/app/app.log';
let requests = 0;

function log(level, message, more) {
  appendFileSync(file, `${JSON.stringify({ time: new Date().toISOString(), level, message, ...more })}\n`);
  // Whoever writes a file sees to it that it does not grow for ever.
  if (statSync(file).size > 64 * 1024 * 1024) renameSync(file, `${file}.1`);
}

const server = createServer((request, response) => {
  if (request.url === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    response.end(
      `# HELP shop_requests_total Requests answered.\n# TYPE shop_requests_total counter\nshop_requests_total ${requests}\n`,
    );
    return;
  }
  requests++;
  log('info', 'answered', { path: request.url, request_id: request.headers['x-request-id'] });
  response.end(`hello from ${process.env.POD_NAME}\n`);
});
// Longer than the proxy keeps an idle connection.
server.keepAliveTimeout = 120_000;
server.listen(8080, '127.0.0.1', () => log('info', 'listening'));

process.on('SIGTERM', () => {
  log('info', 'stopping');
  server.close(() => log('info', 'stopped'));
  server.closeIdleConnections();
});
