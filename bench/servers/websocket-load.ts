/** Sends a short message on each of many WebSockets and the next one when it has come back: `websocket-load.ts URL CONNECTIONS SECONDS`. */
import { WebSocket } from 'ws';

const [url, connections, seconds] = process.argv.slice(2) as [string, string, string];
const message = 'x'.repeat(125);
const latencies: number[] = [];
let failed = 0;
let stopping = false;

await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'));
    await new Promise((resolve) => socket.once('open', resolve).once('error', resolve));
    let sent = performance.now();
    socket.on('message', () => {
      latencies.push(performance.now() - sent);
      if (stopping) return socket.terminate();
      sent = performance.now();
      socket.send(message);
    });
    socket.on('close', () => (failed += stopping ? 0 : 1));
    socket.on('error', () => {});
    sent = performance.now();
    socket.send(message);
  }),
);
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
stopping = true;
const requests = latencies.length;
latencies.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    requests,
    failed,
    p50: latencies[Math.floor(requests * 0.5)],
    p99: latencies[Math.floor(requests * 0.99)],
  }),
);
process.exit(0);
