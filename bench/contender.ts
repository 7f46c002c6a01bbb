import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, MeasuredProcess } from './measured-process.ts';

export type Protocol = 'http' | 'tls' | 'http2';

/** Where a contender runs and what it proxies to. */
export interface Setting {
  readonly appPort: number;
  readonly cpu: number;
  readonly certificate: string;
  readonly key: string;
}

export interface Running {
  readonly process: MeasuredProcess;
  /** `http://127.0.0.1:4711`; undefined where the contender does not speak the protocol. */
  readonly origins: Readonly<Partial<Record<Protocol, string>>>;
}

export interface Contender {
  readonly name: string;
  present(): boolean;
  start(setting: Setting): Promise<Running>;
}

/** What a contender is told about its place, besides the setting. */
export interface Place extends Setting {
  readonly port: number;
  readonly tlsPort: number;
  readonly adminPort: number;
  /** Empty, its own. */
  readonly folder: string;
  /** Writes a file into the folder; answers its path. */
  readonly write: (name: string, text: string) => string;
}

/** Starts a program on free ports. @param command the program and its arguments, for the place it gets */
export async function startOn(
  setting: Setting,
  protocols: readonly Protocol[],
  command: (place: Place) => readonly string[],
): Promise<Running> {
  const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const started = await MeasuredProcess.start(command({ ...setting, port, tlsPort, adminPort, folder, write }), {
    cpu: setting.cpu,
    port,
  });
  const origins: Partial<Record<Protocol, string>> = {};
  for (const protocol of protocols) {
    origins[protocol] = protocol === 'http' ? `http://127.0.0.1:${port}` : `https://127.0.0.1:${tlsPort}`;
  }
  return { process: started, origins };
}
