import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { startBulkServer, type BulkServer, type BulkServerOptions } from './bulk-server.ts';
import { logFolder } from './logs.ts';
import { runPortico, type PorticoProcess } from './process.ts';

/** A folder with log/, state/ and a configuration of `portico logs`. */
export interface LogsHome {
  readonly folder: string;
  /** The path of a log file of that name. */
  log(name: string): string;
  /** Writes the configuration: options of the test over those that make it quick. */
  configure(options: Record<string, unknown>): void;
  start(options?: { env?: NodeJS.ProcessEnv; wrapper?: readonly [string, ...string[]] }): Promise<LogsProcess>;
}

export interface LogsProcess extends PorticoProcess {
  /** Body of an answer of the admin. */
  admin(path: string): Promise<string>;
  /** Sends SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | string>;
}

export function logsHome(): LogsHome {
  const folder = logFolder();
  mkdirSync(join(folder, 'log'));
  const file = join(folder, 'logs.yaml');
  return {
    folder,
    log: (name) => join(folder, 'log', name),
    configure(options) {
      const { inputs = {}, ...others } = options as { inputs?: Record<string, unknown> };
      const text = stringify({
        admin: { address: '127.0.0.1:0' },
        reload: { watch: false },
        inputs: [{ name: 'app', paths: [join(folder, 'log/**/*.log')], rotate_wait: '300ms', ...inputs }],
        follow: { poll_interval: '20ms', discover_interval: '50ms' },
        state: { folder: 'state', checkpoint_interval: '20ms' },
        batch: { max_wait: '20ms' },
        retry: { base_interval: '20ms', max_interval: '100ms' },
        drain: { drain_time: '15s' },
        ...others,
      });
      writeFileSync(file, text);
    },
    async start(options = {}) {
      const portico = runPortico(['logs', '-c', file], options);
      const port = Number(await portico.says(/admin 127\.0\.0\.1:(\d+)/));
      return {
        ...portico,
        admin: (path) => ask(port, path),
        terminate() {
          portico.child.kill('SIGTERM');
          return portico.exited;
        },
      };
    },
  };
}

/** The store of one test. */
export async function bulkStore(options?: BulkServerOptions): Promise<BulkServer> {
  const store = await startBulkServer(options);
  onTestFinished(() => store.close());
  return store;
}

/** The `output` that leads to it. */
export function toStore(store: BulkServer): Record<string, unknown> {
  return { kind: 'elasticsearch', endpoints: [store.url], index: 'logs', request_timeout: '5s' };
}

export function documentsOf(store: BulkServer): Record<string, unknown>[] {
  return [...store.documents.values()];
}

export function messagesIn(store: BulkServer): string[] {
  return documentsOf(store).map(({ message }) => String(message));
}

function ask(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}
