import { spawn, type ChildProcess } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { nodeFlags } from '../../src/cli/node-flags.ts';

/** A `portico` command in a process of its own. */
export interface PorticoProcess {
  readonly child: ChildProcess;
  /** What it has written so far, to standard output and error. */
  output(): string;
  /** Resolves with the text once a pattern shows up in the output. */
  says(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
}

/** As the program's first line, the image and the npm scripts have it. */
const cli = new URL('../../src/cli.js', import.meta.url).pathname;

export function runPortico(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; wrapper?: readonly [command: string, ...args: string[]] } = {},
): PorticoProcess {
  const [command, ...rest] = [...(options.wrapper ?? []), process.execPath, ...nodeFlags, cli, ...args] as [
    string,
    ...string[],
  ];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let text = '';
  const waiting: { pattern: RegExp; resolve: (found: string) => void }[] = [];
  const hear = (chunk: Buffer) => {
    text += chunk.toString();
    for (const one of [...waiting]) {
      const match = one.pattern.exec(text);
      if (match === null) continue;
      waiting.splice(waiting.indexOf(one), 1);
      one.resolve(match[1] ?? match[0]);
    }
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const exited = new Promise<number | string>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal ?? -1)),
  );
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  return {
    child,
    exited,
    output: () => text,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        waiting.push({ pattern, resolve });
        void exited.then((code) => reject(new Error(`ended with ${code} before it said ${pattern}: ${text}`)));
        hear(Buffer.alloc(0));
      }),
  };
}
