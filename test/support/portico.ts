import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import type { Address } from '../../src/options/index.ts';
import { createProcessLog } from '../../src/process-log.ts';
import { Server, type ServerOptions } from '../../src/server.ts';

/** A running Portico in this process. */
export interface Portico {
  readonly server: Server;
  /** Port of a listener; the first one without a name. */
  port(listener?: string): number;
  readonly adminPort: number;
  /** Folder of its configuration. */
  readonly folder: string;
  /** Value of a metric line such as `portico_x_total{a="b"}`; undefined when it is not there. */
  metric(line: string): Promise<number | undefined>;
  stop(): Promise<void>;
}

export interface PorticoOptions extends Omit<ServerOptions, 'log'> {
  /** Files laid beside the configuration, by relative path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'off';
}

/** Starts Portico from YAML text; `admin` gets a free port unless the text says otherwise. */
export async function launchPortico(
  yaml: string,
  { files = {}, logLevel = 'off', ...options }: PorticoOptions = {},
): Promise<Portico> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const text = /^admin:/m.test(yaml) ? yaml : `admin: { address: 127.0.0.1:0 }\n${yaml}`;
  writeFileSync(join(folder, 'portico.yaml'), text);
  const loaded = await loadConfig(join(folder, 'portico.yaml'));
  const server = await Server.start(loaded, {
    ...options,
    log: createProcessLog({ level: logLevel, format: 'pretty' }),
  });
  let stopped: Promise<void> | undefined;
  return {
    server,
    folder,
    adminPort: portOf(server.adminAddress()),
    port(name) {
      const listener = name === undefined ? server.listeners[0] : server.listeners.find((one) => one.name === name);
      if (listener === undefined) throw new Error(`no listener ${name}`);
      return portOf(listener.address());
    },
    async metric(line) {
      const text = await server.stats.render();
      const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
    },
    stop() {
      stopped ??= server.stop().finally(() => rmSync(folder, { recursive: true, force: true }));
      return stopped;
    },
  };
}

/** The same, stopped when the running test has finished. */
export async function startPortico(yaml: string, options?: PorticoOptions): Promise<Portico> {
  const portico = await launchPortico(yaml, options);
  onTestFinished(() => portico.stop());
  return portico;
}

function portOf(address: Address): number {
  if (address.kind !== 'tcp') throw new Error('not a TCP address');
  return address.port;
}
