import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What one round showed. Latencies in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Bytes of a POST body; 0 sends GET. */
  readonly post: number;
  readonly cpu: number;
  /** Ask for the connection to end with every answer. */
  readonly close: boolean;
}

/** Sent by every load generator; contenders without authentication pass it on. See contenders.ts for its key. */
export const token =
  'eyJhbGciOiJIUzI1NiIsImtpZCI6ImJlbmNoIn0.eyJpc3MiOiJiZW5jaCIsInN1YiI6ImJlbmNoIn0.oHOVOhz0jHqex1cxDA8mUS0yOb0gD-RlnKLU7sT3NEg';

const authorization = ['-H', `authorization: Bearer ${token}`];

/** A program that makes load. */
export interface LoadTool {
  readonly name: string;
  readonly http2: boolean;
  present(): boolean;
  load(options: LoadOptions): Promise<LoadResult>;
}

export const autocannon: LoadTool = {
  name: 'autocannon',
  http2: false,
  present: () => true,
  async load({ url, connections, seconds, post, cpu, close }) {
    const body =
      post > 0
        ? ['-m', 'POST', '-b', 'x'.repeat(post), '-H', 'content-type: text/plain']
        : close
          ? ['-H', 'connection: close']
          : [];
    const { stdout } = await run(
      'taskset',
      [
        '-c',
        String(cpu),
        process.execPath,
        'node_modules/autocannon/autocannon.js',
        '-j',
        '-n',
        '-c',
        String(connections),
        '-d',
        String(seconds),
        ...authorization,
        ...body,
        url,
      ],
      {
        maxBuffer: 16 * 1024 * 1024,
        env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
      },
    );
    const result = JSON.parse(stdout) as {
      duration: number;
      non2xx: number;
      errors: number;
      requests: { total: number };
      latency: { p50: number; p99: number; p99_9: number };
    };
    return {
      requests: result.requests.total,
      seconds: result.duration,
      failed: result.non2xx + result.errors,
      p50: result.latency.p50,
      p99: result.latency.p99,
      p999: result.latency.p99_9,
    };
  },
};

export const wrk: LoadTool = {
  name: 'wrk',
  http2: false,
  present: () => onPath('wrk'),
  async load({ url, connections, seconds, post, cpu, close }) {
    const script = post > 0 ? ['-s', 'bench/post.lua'] : close ? ['-H', 'connection: close'] : [];
    const { stdout } = await run(
      'taskset',
      [
        '-c',
        String(cpu),
        'wrk',
        '-t1',
        `-c${connections}`,
        `-d${seconds}s`,
        '--latency',
        ...authorization,
        ...script,
        url,
      ],
      {
        env: { ...process.env, POST_BYTES: String(post) },
      },
    );
    const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
    const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0) + socketErrors(stdout);
    return {
      requests,
      seconds,
      failed,
      p50: latency(/50%\s+([\d.]+)(us|ms|s)/.exec(stdout)),
      p99: latency(/99%\s+([\d.]+)(us|ms|s)/.exec(stdout)),
      p999: Number.NaN,
    };
  },
};

export const h2load: LoadTool = {
  name: 'h2load',
  http2: true,
  present: () => onPath('h2load'),
  async load({ url, connections, seconds, cpu }) {
    const { stdout } = await run('taskset', [
      '-c',
      String(cpu),
      'h2load',
      '-t1',
      `-c${Math.max(1, Math.floor(connections / 8))}`,
      '-m8',
      `-D${seconds}`,
      ...authorization,
      url,
    ]);
    const counts = /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(
      stdout,
    );
    const twoHundreds = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? 0);
    const done = Number(counts?.[2] ?? 0);
    return { requests: done, seconds, failed: done - twoHundreds, p50: Number.NaN, p99: Number.NaN, p999: Number.NaN };
  },
};

/** Messages there and back on WebSockets; a message is a request here. */
export const webSocketEcho: LoadTool = {
  name: 'ws',
  http2: false,
  present: () => true,
  async load({ url, connections, seconds, cpu }) {
    const args = [
      '-c',
      String(cpu),
      process.execPath,
      'bench/servers/websocket-load.ts',
      url,
      connections,
      seconds,
    ].map(String);
    const { stdout } = await run('taskset', args);
    return {
      ...(JSON.parse(stdout) as Pick<LoadResult, 'requests' | 'failed' | 'p50' | 'p99'>),
      seconds,
      p999: Number.NaN,
    };
  },
};

function socketErrors(output: string): number {
  const match = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  return match === null ? 0 : match.slice(1).reduce((sum, count) => sum + Number(count), 0);
}

function latency(match: RegExpExecArray | null): number {
  if (match === null) return Number.NaN;
  return Number(match[1]) * { us: 0.001, ms: 1, s: 1000 }[match[2] as 'us' | 'ms' | 's'];
}

export function onPath(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
