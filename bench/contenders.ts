import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from './load.ts';
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

/** Everything measured, in the order of the table. The first is what ratios are taken against. */
export const contenders: readonly Contender[] = [
  portico('Portico, filters off', '[]'),
  portico('Portico, default chain', '[{ name: request-id }, { name: access-log, config: { path: ACCESS_LOG } }]'),
  {
    name: 'http-proxy-3',
    present: () => true,
    async start({ appPort, cpu, certificate, key }) {
      const [port, tlsPort] = [await freePort(), await freePort()];
      const script = ['bench/contenders/http-proxy-3.ts', port, appPort, tlsPort, certificate, key].map(String);
      return {
        process: await MeasuredProcess.start([process.execPath, ...script], { cpu, port }),
        origins: { http: `http://127.0.0.1:${port}`, tls: `https://127.0.0.1:${tlsPort}` },
      };
    },
  },
  {
    name: 'nginx',
    present: () => onPath('nginx'),
    async start({ appPort, cpu, certificate, key }) {
      const [port, tlsPort] = [await freePort(), await freePort()];
      const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
      writeFileSync(
        join(folder, 'nginx.conf'),
        `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log combined buffer=64k flush=1s;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 100000000;
  upstream app { server 127.0.0.1:${appPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl http2;
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Host $host; }
  }
}`,
      );
      const process_ = await MeasuredProcess.start(['nginx', '-c', join(folder, 'nginx.conf')], { cpu, port });
      return {
        process: process_,
        origins: {
          http: `http://127.0.0.1:${port}`,
          tls: `https://127.0.0.1:${tlsPort}`,
          http2: `https://127.0.0.1:${tlsPort}`,
        },
      };
    },
  },
];

function portico(name: string, filters: string): Contender {
  return {
    name,
    present: () => true,
    async start({ appPort, cpu, certificate, key }) {
      const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
      const folder = mkdtempSync(join(tmpdir(), 'bench-portico-'));
      const file = join(folder, 'portico.yaml');
      writeFileSync(
        file,
        `admin: { address: 127.0.0.1:${adminPort} }
log: { level: warn }
listeners:
  - { name: http, address: 127.0.0.1:${port} }
  - name: https
    address: 127.0.0.1:${tlsPort}
    tls: { certificates: [{ certificate_chain: ${certificate}, private_key: ${key} }] }
http_filters: ${filters.replace('ACCESS_LOG', join(folder, 'access.log'))}
clusters:
  - { name: app, endpoints: [127.0.0.1:${appPort}] }
virtual_hosts:
  - { name: app, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: app } }] }
`,
      );
      const process_ = await MeasuredProcess.start([process.execPath, 'src/cli.ts', 'run', '-c', file], { cpu, port });
      return {
        process: process_,
        origins: {
          http: `http://127.0.0.1:${port}`,
          tls: `https://127.0.0.1:${tlsPort}`,
          http2: `https://127.0.0.1:${tlsPort}`,
        },
      };
    },
  };
}
