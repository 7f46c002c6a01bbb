import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { makeAuthority } from '../support/certificates.ts';
import { startPortico } from '../support/portico.ts';
import { Random } from '../support/random.ts';

/** A Portico in front of an app that sends back what it is sent, or as many bytes as it is asked for. */
async function world(options = '', files: Record<string, string> = {}) {
  const app = await startApp((asked, response) => {
    const size = Number(new URL(asked.url!, 'http://t').searchParams.get('size') ?? NaN);
    response.writeHead(200, { 'content-type': 'application/octet-stream', trailer: 'x-trailer' });
    if (Number.isNaN(size)) {
      asked.pipe(response, { end: false });
      asked.on('end', () => {
        response.addTrailers({ 'x-trailer': String(asked.trailers['x-sum'] ?? 'none') });
        response.end();
      });
    } else {
      response.end(Buffer.alloc(size, 'x'));
    }
  });
  const portico = await startPortico(
    `listeners: [{ name: http, address: 127.0.0.1:0${options} }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`,
    { files },
  );
  return portico;
}

function session(port: number, initialWindowSize?: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`, {
    maxSessionMemory: 100,
    ...(initialWindowSize === undefined ? {} : { settings: { initialWindowSize } }),
  });
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return client;
}

interface Answered {
  status: unknown;
  bytes: number;
  hash: string;
  trailer: unknown;
}

function answerOf(stream: ClientHttp2Stream): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha1');
    const answered: Answered = { status: undefined, bytes: 0, hash: '', trailer: undefined };
    stream.on('response', (headers) => (answered.status = headers[':status']));
    stream.on('data', (chunk: Buffer) => {
      answered.bytes += chunk.length;
      hash.update(chunk);
    });
    stream.on('trailers', (trailers) => (answered.trailer = trailers['x-trailer']));
    stream.on('error', reject);
    stream.on('close', () => resolve({ ...answered, hash: hash.digest('hex') }));
  });
}

describe('the client of node:http2', () => {
  it('sends and gets large contents on many streams at once, with trailers, byte for byte', async () => {
    const portico = await world();
    const random = new Random(7);
    const client = session(portico.port());
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const content = Buffer.alloc(random.below(600_000), `stream ${at} `);
        const stream = client.request({ ':method': 'POST', ':path': `/${at}` }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': `sum ${at}` }));
        const answer = answerOf(stream);
        for (let from = 0; from < content.length; from += 50_000) stream.write(content.subarray(from, from + 50_000));
        stream.end();
        expect(await answer).toEqual({
          status: 200,
          bytes: content.length,
          hash: createHash('sha1').update(content).digest('hex'),
          trailer: `sum ${at}`,
        });
      }),
    );
    await expect.poll(() => portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
  });

  it.each([1, 100, 65_535, 4_000_000])('gets large contents through a window of %d bytes', async (window) => {
    const portico = await world();
    const client = session(portico.port(), window);
    const size = Math.min(2_000_000, window * 500);
    const answers = await Promise.all([1, 2, 3].map((_) => answerOf(client.request({ ':path': `/?size=${size}` }))));
    for (const { status, bytes } of answers) expect([status, bytes]).toEqual([200, size]);
  });

  it('gets and sends the same over TLS', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue('localhost');
    const portico = await world(', tls: { certificates: [{ certificate_chain: tls.crt, private_key: tls.key }] }', {
      'tls.crt': cert,
      'tls.key': key,
    });
    const client = connect(`https://localhost:${portico.port()}`, { ca: authority.cert, maxSessionMemory: 100 });
    onTestFinished(() => client.destroy());
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => {
        const stream = client.request({ ':method': 'POST', ':path': at < 5 ? '/' : '/?size=1500000' });
        const answer = answerOf(stream);
        stream.end(Buffer.alloc(700_000));
        return answer;
      }),
    );
    expect(answers.map(({ bytes }) => bytes)).toEqual([
      ...Array<number>(5).fill(700_000),
      ...Array<number>(5).fill(1_500_000),
    ]);
  });

  it('asks a thousand times on one connection', async () => {
    const portico = await world();
    const client = session(portico.port());
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => answerOf(client.request({ ':path': `/?size=${at}` }))),
      );
      expect(answers.map(({ bytes }) => bytes)).toEqual(Array.from({ length: 50 }, (_, at) => at));
    }
  });

  it('gives up uploads and downloads in the middle, and the connection goes on', async () => {
    const portico = await world();
    const client = session(portico.port());
    for (let at = 0; at < 20; at++) {
      const upload = client.request({ ':method': 'POST', ':path': '/' });
      upload.on('error', () => {});
      upload.write(Buffer.alloc(100_000));
      const download = client.request({ ':path': '/?size=5000000' });
      download.on('error', () => {});
      await new Promise((resolve) => download.once('data', resolve));
      upload.close(constants.NGHTTP2_CANCEL);
      download.close(constants.NGHTTP2_CANCEL);
      expect((await answerOf(client.request({ ':path': '/?size=10' }))).bytes).toBe(10);
    }
    await expect.poll(() => portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
  });
});

describe('the client of nghttp2', () => {
  const missing = ['h2load', 'nghttp'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (missing.length > 0) console.warn(`${missing.join(' and ')} not installed: its interoperation is NOT TESTED`);

  it.skipIf(missing.includes('h2load'))('h2load: every request is answered', async () => {
    const portico = await world();
    for (const args of [
      ['-n', '2000', '-c', '4', '-m', '32'],
      ['-n', '60', '-c', '2', '-m', '10', '-w', '16', '-W', '17'],
    ]) {
      const size = args.includes('-w') ? 300_000 : 100;
      const child = spawn('h2load', [...args, `http://127.0.0.1:${portico.port()}/?size=${size}`]);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await new Promise((resolve) => child.once('close', resolve));
      expect(output).toContain(`${args[1]} succeeded, 0 failed, 0 errored, 0 timeout`);
    }
  });

  it.skipIf(missing.includes('nghttp'))('nghttp: an upload with padding and trailers', async () => {
    const portico = await world();
    const child = spawn('nghttp', [
      '-v',
      '-b',
      '100',
      '-d',
      '-',
      '--trailer',
      'x-sum: 7',
      `http://127.0.0.1:${portico.port()}/`,
    ]);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
    child.stdin.end(Buffer.alloc(100_000, 'y'));
    await new Promise((resolve) => child.once('close', resolve));
    expect(output).toContain(':status: 200');
    // With a content-length HTTP/1.1 has no place for trailers.
    expect(output).toContain('x-trailer: none');
    expect(output.match(/y/g)!.length).toBeGreaterThanOrEqual(100_000);
  });
});
