import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { ConfigError, showAddress, type Address } from '../options/index.ts';
import { complain, type Command } from './command.ts';
import { untilSignalled, type Running } from './until-signalled.ts';

export const run: Command = {
  name: 'run',
  doc: 'Runs the proxy until SIGTERM or SIGINT.',
  options: {
    config: { type: 'string', short: 'c', value: 'FILE', doc: 'The configuration.' },
  },
  async run({ config: file }) {
    if (typeof file !== 'string') {
      complain('portico run: which configuration? Write -c FILE');
      return 2;
    }
    const server = await startServer(file);
    if (typeof server === 'number') return server;
    // First, so that whoever reads the line may send a signal.
    const ended = untilSignalled(server, { reloads: true });
    server.log.info('listening', {
      listeners: server.listening(),
      admin: showAddress(server.adminAddress()),
      config: resolve(file),
    });
    return ended;
  },
};

/** A running Portico, of one process or of several. */
export interface RunningServer extends Running {
  /** Names and addresses of the listeners. */
  listening(): readonly string[];
  adminAddress(): Address;
}

/** A running server, or the exit code after the complaint. */
export async function startServer(file: string): Promise<RunningServer | number> {
  const [{ loadConfig, describeFaults }, { Server }] = await Promise.all([
    import('../config/index.ts'),
    import('../server.ts'),
  ]);
  try {
    const loaded = await loadConfig(file);
    const workers = loaded.config.workers === 'auto' ? availableParallelism() : loaded.config.workers;
    // Only then, because one process shall not carry what several need.
    const start = async () =>
      workers === 1
        ? Server.start(loaded)
        : (await import('../workers/worker-group.ts')).WorkerGroup.start(loaded, workers);
    return await start().catch((error: unknown) => {
      if (!(error instanceof ConfigError)) throw error;
      for (const line of describeFaults(error, loaded)) complain(line);
      return 2;
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      complain(error.message);
      return 2;
    }
    complain(`portico: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}
