import { resolve } from 'node:path';
import { ConfigError, showAddress } from '../options/index.ts';
import type { Server } from '../server.ts';
import { complain, type Command } from './command.ts';
import { untilSignalled } from './until-signalled.ts';

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
    const listening = server.listeners.map((listener) => `${listener.name} ${showAddress(listener.address())}`);
    server.log.info('listening', {
      listeners: listening,
      admin: showAddress(server.adminAddress()),
      config: resolve(file),
    });
    return ended;
  },
};

/** A running server, or the exit code after the complaint. */
export async function startServer(file: string): Promise<Server | number> {
  const [{ loadConfig, describeFaults }, { Server }] = await Promise.all([
    import('../config/index.ts'),
    import('../server.ts'),
  ]);
  try {
    const loaded = await loadConfig(file);
    return await Server.start(loaded).catch((error: unknown) => {
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
