import { spawn } from 'node:child_process';
import { join } from 'node:path';

const cli = new URL('../../src/cli.js', import.meta.url).pathname;

/** A `portico logs` that a scenario kills and starts, in the test runner or outside of it. */
export interface LaunchedLogs {
  running(): boolean;
  /** Resolves when it has said that it runs, or has ended. */
  readonly started: Promise<void>;
  /**
   * Resolves with what it has said.
   * @param code that it must end with after SIGTERM: 1 when something is left
   * @throws Error when it ended by itself, or otherwise
   */
  end(signal: 'SIGKILL' | 'SIGTERM', code?: number): Promise<string>;
}

/** @param folder that has the configuration, logs.yaml */
export function launchLogs(folder: string): LaunchedLogs {
  const args = [cli, 'logs', '-c', join(folder, 'logs.yaml')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const started = new Promise<void>((resolve) => {
    const hear = (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('"msg":"running"')) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', hear);
    void exited.then(() => resolve());
  });
  return {
    started,
    running: () => child.exitCode === null && child.signalCode === null,
    async end(signal, expected = 0) {
      child.kill(signal);
      const code = await exited;
      if (signal === 'SIGKILL' ? child.signalCode !== 'SIGKILL' : code !== expected) {
        throw new Error(`portico ended with ${code ?? child.signalCode}: ${said}`);
      }
      return said;
    },
  };
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
