/** Bodies of any size through a Portico in a process of its own, with one slow side, and what that costs. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { frontConfig } from './front-config.ts';
import { nodeFlags } from '../../src/cli/node-flags.ts';

export interface BulkRun {
  readonly protocol: 'HTTP/1' | 'HTTP/2';
  /** `down`: the app writes as fast as it can and the client reads slowly. `up`: the other way round. */
  readonly direction: 'down' | 'up';
  readonly bytes: number;
  /** Bytes a second that the slow side reads, after a second in which it reads nothing. */
  readonly rate: number;
}

export interface BulkResult {
  /** Bytes that the slow side got. */
  readonly received: number;
  /** Most bytes that were under way at once: given to the kernel by the fast side and not yet read by the slow one. */
  readonly mostUnderWay: number;
  /** Most of them that lay in Portico, that is, in no buffer of the kernel, which nobody but the kernel can bound. */
  readonly mostHeld: number;
  /** Most by which the resident memory of Portico was above what it was before, in bytes. */
  readonly growth: number;
  readonly seconds: number;
}

export interface BulkFront {
  run(bulk: BulkRun): Promise<BulkResult>;
  /** Resident memory of Portico, in bytes. */
  rss(): number;
  close(): Promise<void>;
}

const chunk = Buffer.alloc(64 * 1024, 'x');
const stall = 1000;
const cli = new URL('../../src/cli.js', import.meta.url).pathname;

/** Starts Portico and an app behind it; both serve until `close`. */
export async function startBulkFront(): Promise<BulkFront> {
  /** What the app does with its next connection's request. */
  let serve: (socket: Socket, head: string) => void = (socket) => socket.destroy();
  const sockets = new Set<Socket>();
  const app = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (first: Buffer) => {
      socket.pause();
      const end = first.indexOf('\r\n\r\n') + 4;
      if (end < first.length) socket.unshift(first.subarray(end));
      serve(socket, first.toString('latin1', 0, end));
    });
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'portico-bulk-'));
  const file = join(folder, 'portico.yaml');
  const appPort = (app.address() as AddressInfo).port;
  const endpoint = `127.0.0.1:${appPort}`;
  writeFileSync(file, frontConfig([endpoint], { route: { timeout: '0s' } }));
  const child = spawn(process.execPath, [...nodeFlags, cli, 'run', '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (text: Buffer) => {
      log += text.toString();
      const found = /"http 127\.0\.0\.1:(\d+)"/.exec(log);
      if (found !== null) resolve(Number(found[1]));
    });
    child.once('exit', () => reject(new Error(`portico ended: ${log}`)));
  });
  const ports = [port, appPort];
  const rss = () => {
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) * 1024;
  };

  /** A reader that stalls by itself says nothing about Portico. */
  async function run(bulk: BulkRun): Promise<BulkResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await runOnce(bulk);
      } catch (error) {
        if (!(error instanceof ReaderStalled) || attempt === 3) throw error;
        process.stderr.write(`${error.message}; once more\n`);
      }
    }
  }

  async function runOnce({ protocol, direction, bytes, rate }: BulkRun): Promise<BulkResult> {
    const start = performance.now();
    const before = rss();
    let written = 0;
    let received = 0;
    let mostUnderWay = 0;
    let mostHeld = 0;
    let growth = 0;
    const weigh = () => (growth = Math.max(growth, rss() - before));
    const look = () => {
      weigh();
      const inKernel = inKernelOf(ports);
      const underWay = written - received;
      mostUnderWay = Math.max(mostUnderWay, underWay);
      // Taken at different times while bytes flow: a queue that is counted before and after has been read from meanwhile.
      mostHeld = Math.max(mostHeld, underWay - Math.max(inKernel, inKernelOf(ports)));
    };
    const weighing = setInterval(weigh, 20);
    // Seldom: the kernel takes milliseconds to tell its queues, and reader and writer wait for it.
    const looking = setInterval(look, 200);
    const unread = () => unreadBy(direction === 'down' ? { remote: port } : { local: appPort });
    const slowly = (source: Readable) =>
      readSlowly(source, { rate, bytes, unread, got: (count) => (received += count) });
    const fast = (sink: Writable) => void writeFast(sink, bytes, (count) => (written += count));
    try {
      await (direction === 'down' ? down() : up());
      look();
    } finally {
      clearInterval(weighing);
      clearInterval(looking);
    }
    return { received, mostUnderWay, mostHeld, growth, seconds: (performance.now() - start) / 1000 };

    async function down(): Promise<void> {
      serve = (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n`);
        fast(socket);
      };
      if (protocol === 'HTTP/1') {
        const client = connect(port, '127.0.0.1');
        client.on('error', () => {});
        client.write('GET / HTTP/1.1\r\nHost: app.example\r\n\r\n');
        const first = await new Promise<Buffer>((resolve) => client.once('data', resolve));
        client.pause();
        client.unshift(first.subarray(first.indexOf('\r\n\r\n') + 4));
        await slowly(client).finally(() => client.destroy());
      } else {
        const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1024 * 1024 } });
        session.on('error', () => {});
        // With 64 KiB for the connection a busy machine makes this a matter of minutes.
        session.once('connect', () => session.setLocalWindowSize(1024 * 1024));
        const stream = session.request({ ':path': '/' });
        await new Promise((resolve) => stream.once('response', resolve));
        await slowly(stream).finally(() => session.destroy());
      }
    }

    async function up(): Promise<void> {
      const done = new Promise<void>((resolve, reject) => {
        serve = (socket) => {
          slowly(socket).then(() => {
            socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
            resolve();
          }, reject);
        };
      });
      if (protocol === 'HTTP/1') {
        const client = connect(port, '127.0.0.1');
        client.on('error', () => {});
        client.write(`POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: ${bytes}\r\n\r\n`);
        fast(client);
        await done.finally(() => client.destroy());
      } else {
        const session = connectHttp2(`http://127.0.0.1:${port}`);
        session.on('error', () => {});
        const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': bytes });
        stream.resume();
        fast(stream);
        await done.finally(() => session.destroy());
      }
    }
  }

  return {
    run,
    rss,
    async close() {
      child.kill('SIGKILL');
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => app.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes lie in the reader's own socket, and it does not read them: seen between two plain Node processes as well. */
class ReaderStalled extends Error {}

interface SlowReading {
  readonly rate: number;
  readonly bytes: number;
  /** Bytes that the kernel has for the reader. */
  unread(): number;
  got(count: number): void;
}

/**
 * Reads nothing for a second, then so many bytes a second; resolves when it has all.
 * @throws Error when nothing comes for three seconds
 */
async function readSlowly(source: Readable, { rate, bytes, unread, got }: SlowReading): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, stall));
  let total = 0;
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const due = () => ((performance.now() - start) / 1000) * rate;
    let heard = start;
    const timer = setInterval(() => {
      if (total < due()) source.resume();
      if (performance.now() - heard < 3000) return;
      const there = unread();
      const text = `nothing was read for 3 s after ${total} of ${bytes} bytes; ${there} wait in the socket of the reader`;
      finish(() => reject(there > 0 ? new ReaderStalled(text) : new Error(text)));
    }, 5);
    const finish = (act: () => void) => {
      clearInterval(timer);
      source.off('data', hear);
      act();
    };
    const hear = (data: Buffer) => {
      heard = performance.now();
      total += data.byteLength;
      got(data.byteLength);
      if (total >= bytes) return finish(resolve);
      if (total > due()) source.pause();
    };
    source.on('data', hear);
    source.on('close', () => finish(() => reject(new Error(`ended after ${total} of ${bytes} bytes`))));
  });
}

interface Queues {
  readonly local: number;
  readonly remote: number;
  readonly send: number;
  readonly receive: number;
}

/** The TCP connections of this machine with what waits in them. */
function queues(): Queues[] {
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1, -1);
  return rows.flatMap((row) => {
    const [, local = '', remote = '', state, waiting = ''] = row.trim().split(/\s+/);
    // A listening socket's queue holds connections.
    if (state === '0A') return [];
    const portOf = (address: string) => parseInt(address.slice(address.indexOf(':') + 1), 16);
    const [send = '', receive = ''] = waiting.split(':');
    return [{ local: portOf(local), remote: portOf(remote), send: parseInt(send, 16), receive: parseInt(receive, 16) }];
  });
}

/** Bytes in the send and receive queues of all connections to these ports, both ends. */
function inKernelOf(ports: readonly number[]): number {
  return queues()
    .filter(({ local, remote }) => ports.includes(local) || ports.includes(remote))
    .reduce((sum, { send, receive }) => sum + send + receive, 0);
}

function unreadBy(socket: { local?: number; remote?: number }): number {
  return queues()
    .filter(({ local, remote }) => local === socket.local || remote === socket.remote)
    .reduce((sum, { receive }) => sum + receive, 0);
}

/** @param given told how many bytes the kernel has taken */
function writeFast(sink: Writable, bytes: number, given: (count: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    sink.on('error', () => {});
    sink.once('close', resolve);
    const write = () => {
      while (left > 0 && !sink.destroyed) {
        const part = left < chunk.byteLength ? chunk.subarray(0, left) : chunk;
        left -= part.byteLength;
        const room = sink.write(part, (error) => {
          if (error === null || error === undefined) given(part.byteLength);
        });
        if (!room) return void sink.once('drain', write);
      }
      if (!(sink instanceof Socket)) sink.end();
      resolve();
    };
    write();
  });
}
