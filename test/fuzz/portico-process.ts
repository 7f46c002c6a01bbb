import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const cli = new URL('../../src/cli.js', import.meta.url).pathname;

/** Portico in a process of its own, so that what ends it is seen from outside. */
export class PorticoProcess {
  readonly port: number;
  readonly #adminPort: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #output: () => string;

  private constructor(
    child: ChildProcess,
    folder: string,
    output: () => string,
    ports: { http: number; admin: number },
  ) {
    this.#child = child;
    this.#folder = folder;
    this.#output = output;
    this.port = ports.http;
    this.#adminPort = ports.admin;
  }

  /** @param yaml with one listener, and without `admin` */
  static async start(yaml: string): Promise<PorticoProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'portico-fuzz-'));
    const file = join(folder, 'portico.yaml');
    writeFileSync(file, `admin: { address: 127.0.0.1:0 }\n${yaml}`);
    const child = spawn(process.execPath, [cli, 'run', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const ports = await new Promise<{ http: number; admin: number }>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        output += chunk.toString();
        const http = /"\S+ 127\.0\.0\.1:(\d+)"/.exec(output)?.[1];
        const admin = /"admin":"127\.0\.0\.1:(\d+)"/.exec(output)?.[1];
        if (http !== undefined && admin !== undefined) resolve({ http: Number(http), admin: Number(admin) });
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('exit', (code) => reject(new Error(`portico ended with ${code} at its start: ${output}`)));
    });
    return new PorticoProcess(child, folder, () => output, ports);
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has written: its log, and whatever Node.js had to say. */
  get output(): string {
    return this.#output();
  }

  /** Sum of the samples of a metric. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    const samples = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    if (samples.length === 0) throw new Error(`no metric ${name}`);
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async stop(): Promise<void> {
    if (this.alive) {
      const exited = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
