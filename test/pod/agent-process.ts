import { spawn } from 'node:child_process';
import type { AgentCommands } from './agent.ts';
import type { NetworkHost } from './network.ts';

/** Somebody in a network namespace who does what is asked. */
export interface AgentProcess {
  do<Command extends keyof AgentCommands>(
    command: Command,
    ...argument: Parameters<AgentCommands[Command]>
  ): Promise<Awaited<ReturnType<AgentCommands[Command]>>>;
  /** Ends it; resolves when it has ended. */
  stop(): Promise<void>;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export function startAgent({ namespace }: NetworkHost): AgentProcess {
  const program = new URL('./agent.ts', import.meta.url).pathname;
  // `ip netns exec` becomes the program, which so gets the channel.
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let last = 0;
  child.on('message', ({ id, result, error }: Reply) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  });
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`the agent in ${namespace} has ended`));
  });
  return {
    do: (command, ...[argument]) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, { resolve: resolve, reject });
        child.send({ id, command, argument });
      }),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
