import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A real app in a process of its own, on a port that stays the same, so that it can be killed and started again. */
export interface AppProcess {
  readonly port: number;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
}

const program = `
const http = require('node:http');
const delay = Number(process.argv[2]);
const server = http.createServer((request, response) => {
  setTimeout(() => response.end('hello from ' + process.pid), Math.random() * delay);
});
server.listen(Number(process.argv[1]), '127.0.0.1', () => process.stdout.write('ready'));
`;

/** @param delay longest time that it takes to answer, in milliseconds */
export async function appProcess(delay = 5): Promise<AppProcess> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  return {
    port,
    start: () =>
      new Promise((resolve, reject) => {
        const started = (child = spawn(process.execPath, ['-e', program, String(port), String(delay)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        }));
        started.stdout.once('data', () => resolve());
        started.once('exit', () => reject(new Error('the app ended before it listened')));
      }),
    kill: () =>
      new Promise((resolve) => {
        const running = child;
        child = undefined;
        if (running === undefined || running.exitCode !== null) return resolve();
        running.once('exit', () => resolve());
        running.kill('SIGKILL');
      }),
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
