/** A real redis-server of the test's own, on a unix socket and a free port, that can be stopped, killed and started again. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** Why there is no Redis to test against, or undefined when there is one. */
export function noRedis(): string | undefined {
  const found = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  if (found.error === undefined && found.status === 0) return undefined;
  return 'redis-server is not installed (Debian: apt-get install redis-server)';
}

export interface RedisServer {
  /** `unix:/…/redis.sock` */
  readonly url: string;
  readonly port: number;
  /** Runs one command on a connection of its own. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it, at first or again, empty; resolves when it answers. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface RedisServerOptions {
  password?: string;
  /** Leaves it to the test to call `start`. */
  down?: boolean;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-redis-'));
  const socket = join(folder, 'redis.sock');
  const port = await freePort();
  let child: ChildProcess | undefined;

  const server: RedisServer = {
    url: `unix:${socket}`,
    port,
    async command(name, ...args) {
      const client = new Redis({
        path: socket,
        lazyConnect: true,
        retryStrategy: () => null,
        ...(options.password !== undefined && { password: options.password }),
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return await client.call(name, ...args);
      } finally {
        client.disconnect();
      }
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async kill() {
      const dying = child;
      child = undefined;
      if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
      dying.kill('SIGKILL');
      await once(dying, 'exit');
    },
    async start() {
      const args = ['--port', port, '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', folder, '--save', ''];
      if (options.password !== undefined) args.push('--requirepass', options.password);
      const started = (child = spawn('redis-server', args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] }));
      let output = '';
      started.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      started.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      for (const deadline = performance.now() + 10_000; ;) {
        if (started.exitCode !== null) throw new Error(`redis-server ended:\n${output}`);
        const answer = await server.command('PING').catch((error: unknown) => error);
        if (answer === 'PONG') return;
        if (performance.now() > deadline) throw new Error(`redis-server does not answer: ${String(answer)}\n${output}`);
        await sleep(10);
      }
    },
    async close() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (options.down !== true) await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
