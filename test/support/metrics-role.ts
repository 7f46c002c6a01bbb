import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadRoleConfig } from '../../src/config/load-role.ts';
import { metricsSchema } from '../../src/metrics/config.ts';
import { metrics } from '../../src/metrics/role.ts';
import { RoleServer } from '../../src/role/index.ts';

export type AppAnswer = (request: IncomingMessage, response: ServerResponse) => void;

/** An app that answers every request so; ends with the test. */
export async function metricsApp(answer: AppAnswer | string): Promise<{ server: Server; port: number; url: string }> {
  const server = createServer(typeof answer === 'string' ? sends(answer) : answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `http://127.0.0.1:${port}/metrics` };
}

export function sends(body: string | Buffer, headers: Record<string, string> = {}): AppAnswer {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', ...headers });
    response.end(body);
  };
}

export const openMetrics = { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' };

/** The role with this configuration beside an admin on a free port. */
export async function startMetrics(yaml: string) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'metrics.yaml');
  const full = (text: string) =>
    `admin: { address: 127.0.0.1:0 }\nlog: { level: off }\nreload: { poll_interval: 50ms }\n${text}`;
  writeFileSync(file, full(yaml));
  const server = await RoleServer.start(metrics, await loadRoleConfig(metricsSchema, file));
  onTestFinished(() => server.stop());
  const { port } = server.adminAddress() as { port: number };
  const get = async (headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
    const { status } = response;
    return {
      status,
      type: response.headers.get('content-type'),
      headers: response.headers,
      body: await response.text(),
    };
  };
  return {
    server,
    port,
    folder,
    get,
    /** The lines of the page, without those of the sidecar's own metrics. */
    async lines(headers: Record<string, string> = {}): Promise<string> {
      const { body } = await get(headers);
      return body
        .split('\n')
        .filter((line) => !/^(?:# \w+ )?(?:portico_|up\b)/.test(line))
        .join('\n');
    },
    /** The value of the one series of the page that begins so. */
    async value(series: string): Promise<string | undefined> {
      const { body } = await get();
      const line = body.split('\n').find((one) => one.startsWith(series));
      return line?.slice(line.lastIndexOf(' ') + 1);
    },
    rewrite(text: string) {
      writeFileSync(`${file}.new`, full(text));
      renameSync(`${file}.new`, file);
    },
  };
}
