import type { ProxyView } from '../../src/admin/index.ts';
import type { LogLevel, ProcessLog } from '../../src/process-log.ts';
import { Stats } from '../../src/stats/index.ts';

/** A view as a running Portico would show it, to be overridden where a test looks. */
export function adminView(overrides: Partial<ProxyView> = {}): ProxyView & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const view: ProxyView = {
    state: () => 'LIVE',
    clusters: () => [
      {
        name: 'app',
        lb_policy: 'round_robin',
        error_rate_breaker: 'closed',
        circuit_breakers: { max_connections: { used: 3, most: 1024 }, max_requests: { used: 2, most: 1024 } },
        idle_connections: 1,
        endpoints: [
          { address: '127.0.0.1:8080', weight: 1, health: 'healthy', active_requests: 2, connections: 3 },
          { address: '[::1]:8080', weight: 2, health: 'ejected', active_requests: 0, connections: 0 },
        ],
      },
    ],
    listeners: () => [
      { name: 'http', address: '0.0.0.0:80', protocols: ['HTTP/1.1', 'HTTP/2'], connections: 4, active_exchanges: 1 },
      {
        name: 'https',
        address: '0.0.0.0:443',
        protocols: ['HTTP/2', 'HTTP/1.1'],
        tls: { certificates: [{ names: ['shop.example', '*.shop.example'], not_after: '2027-01-01T00:00:00.000Z' }] },
        connections: 0,
        active_exchanges: 0,
      },
    ],
    configDump: () => ({ admin: { address: '127.0.0.1:9090' }, redis: { password: '[redacted]' } }),
    serverInfo: () => ({
      version: '1.2.3',
      node_version: process.versions.node,
      pid: process.pid,
      uptime_seconds: 93_784.5,
      state: 'LIVE',
      config_file: '/etc/<portico>.yaml',
      config_hash: 'abc',
      arguments: ['run'],
    }),
    stats: new Stats(),
    log: recordingLog(lines),
  };
  return { ...view, ...overrides, lines };
}

function recordingLog(lines: string[], shared: { level: LogLevel } = { level: 'info' }): ProcessLog {
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return {
    get level() {
      return shared.level;
    },
    set level(level) {
      shared.level = level;
    },
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => recordingLog(lines, shared),
    dropped: 0,
    flush: () => Promise.resolve(),
    flushNow: () => {},
  };
}
