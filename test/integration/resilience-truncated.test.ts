import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, startUpstream } from '../support/cluster-harness.ts';
import { backToRest, startFront } from '../support/resilience.ts';
import type { Script } from '../support/scripted-upstream.ts';

const curl = spawnSync('curl', ['--version'], { encoding: 'utf8' });
const missing = curl.status !== 0 ? 'no curl' : /HTTP2/.test(curl.stdout) ? undefined : 'this curl speaks no HTTP/2';
if (missing !== undefined) console.warn(`SKIPPED: test/integration/resilience-truncated.test.ts: ${missing}`);

interface Outcome {
  readonly exit: number;
  readonly body: string;
}

function runCurl(port: number, protocol: '--http1.1' | '--http2-prior-knowledge'): Promise<Outcome> {
  return new Promise((resolve) => {
    const args = ['-sS', '--max-time', '20', protocol, `http://127.0.0.1:${port}/`];
    execFile('curl', args, (error, body) => resolve({ exit: error === null ? 0 : Number(error.code), body }));
  });
}

/** What follows the bytes. */
type Ending = 'fin' | 'rst' | 'silence' | 'nonsense';

const app =
  (text: string, then: Ending): Script =>
  async (connection) => {
    await connection.head();
    await connection.write(text);
    // What was sent must arrive before it breaks.
    await connection.wait(50);
    if (then === 'fin') connection.fin();
    else if (then === 'rst') connection.rst();
    else if (then === 'nonsense') await connection.write('nonsense\r\n');
  };

const length = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** What curl says: 18 a partial file, 56 a failure while receiving, 92 an HTTP/2 stream that was not closed cleanly. */
describe.skipIf(missing !== undefined)('RE20 an answer that breaks off', () => {
  it.each<[string, string, Ending, string]>([
    ['before its length', length, 'fin', 'UC'],
    ['before its length, by a reset', length, 'rst', 'UC'],
    ['between chunks', `${chunked}4\r\nhalf\r\n`, 'fin', 'UC'],
    ['within a chunk', `${chunked}ff\r\nhalf`, 'rst', 'UC'],
    ['with a chunk that is none', `${chunked}4\r\nhalf\r\n`, 'nonsense', 'UPE'],
    ['without length, by a reset', 'HTTP/1.1 200 OK\r\n\r\nhalf', 'rst', 'UC'],
    ['in silence', length, 'silence', 'UT'],
  ])('%s fails in curl, and the access log says why and how many bytes went out', async (_what, text, then, flag) => {
    const upstream = await startUpstream(app(text, then));
    const format = {
      json: { protocol: '%PROTOCOL%', status: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%', sent: '%BYTES_SENT%' },
    };
    const portico = await startFront([upstream.address], {
      route: { idle_timeout: '400ms' },
      http_filters: [{ name: 'access-log', config: { path: 'access.log', format } }],
    });
    const first = await runCurl(portico.port(), '--http1.1');
    expect([18, 56]).toContain(first.exit);
    expect(first.body).toBe('half');
    const second = await runCurl(portico.port(), '--http2-prior-knowledge');
    expect(second.exit).toBe(92);
    expect('half'.startsWith(second.body)).toBe(true);
    await backToRest(portico);
    const lines = () =>
      readFileSync(join(portico.folder, 'access.log'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    await eventually(() => lines().length === 2, 'both are logged');
    expect(lines()).toEqual([
      { protocol: 'HTTP/1.1', status: 200, flags: flag, sent: 4 },
      { protocol: 'HTTP/2', status: 200, flags: flag, sent: 4 },
    ]);
  });
});
