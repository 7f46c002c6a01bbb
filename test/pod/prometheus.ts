import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentProcess } from './agent-process.ts';
import type { NetworkHost } from './network.ts';

export const prometheusInstalled = spawnSync('prometheus', ['--version']).status === 0;

export interface PrometheusServer {
  /** Values of an expression, by the labels of each: `{"instance":"10.77.0.2:9092"}`. */
  query(expression: string): Promise<readonly { labels: Readonly<Record<string, string>>; value: number }[]>;
  stop(): Promise<void>;
}

const address = '127.0.0.1:9095';

/** A Prometheus server that scrapes twice a second. @param agent somebody in the same namespace */
export async function startPrometheus(
  folder: string,
  { namespace }: NetworkHost,
  agent: AgentProcess,
  targets: readonly string[],
): Promise<PrometheusServer> {
  mkdirSync(folder, { recursive: true });
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
    scrape_configs: [{ job_name: 'pods', honor_labels: true, static_configs: [{ targets }] }],
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const child = spawn('ip', ['netns', 'exec', namespace, 'prometheus', ...args, `--web.listen-address=${address}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = async () => {
    try {
      return (await agent.do('ask', `http://${address}/-/ready`)).status === 200;
    } catch {
      return false;
    }
  };
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`prometheus ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    async query(expression) {
      const { body } = await agent.do('ask', `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data } = JSON.parse(body) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
