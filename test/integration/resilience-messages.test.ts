import http2 from 'node:http2';
import { describe, expect, it } from 'vitest';
import { eventually, startUpstream } from '../support/cluster-harness.ts';
import { probe, ProbingClient } from '../support/probing-client.ts';
import { backToRest, clusterMetric, startFront } from '../support/resilience.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';

const ok = response(200, 'hello');

/** Answers one request with these bytes, then ends the connection politely. */
const says =
  (text: string, ending: 'fin' | 'rst' | 'stay' = 'fin'): Script =>
  async (connection) => {
    await connection.head();
    await connection.write(text);
    if (ending === 'fin') connection.fin();
    else if (ending === 'rst') {
      await connection.wait(20);
      connection.rst();
    }
  };

/** One HTTP/2 request without TLS. */
async function overHttp2(port: number, path = '/') {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream = session.request({ ':path': path });
  const result = { status: 0, interim: [] as number[], body: '', complete: false, code: -1 };
  stream.on('headers', (headers) => result.interim.push(Number(headers[':status'])));
  stream.on('response', (headers) => (result.status = Number(headers[':status'])));
  stream.on('data', (chunk: Buffer) => (result.body += chunk.toString()));
  stream.on('end', () => (result.complete = true));
  stream.on('error', () => {});
  await new Promise<void>((resolve) => stream.on('close', () => resolve()));
  result.code = stream.rstCode;
  await new Promise<void>((resolve) => session.close(resolve));
  return result;
}

describe('RE19 an app that ends its side', () => {
  it('after a whole answer is fine', async () => {
    const upstream = await startUpstream(says(ok));
    const portico = await startFront([upstream.address]);
    for (let n = 0; n < 3; n++) expect((await probe(portico.port())).body).toBe('hello');
  });

  it('before its answer gives 502', async () => {
    const upstream = await startUpstream(says(''));
    const portico = await startFront([upstream.address]);
    const result = await probe(portico.port(), { method: 'POST', body: 'x' });
    expect([result.status, result.body.trim()]).toEqual([502, 'upstream_reset_before_response']);
    expect(upstream.connections.filter(({ text }) => text.length > 0)).toHaveLength(1);
    await backToRest(portico);
  });
});

describe('RE20 an answer that is not whole', () => {
  it.each<[string, string, 'fin' | 'rst', boolean]>([
    ['shorter than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'fin', false],
    ['reset before its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'rst', false],
    ['without last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'fin', false],
    ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf', 'rst', false],
    ['without length, reset', 'HTTP/1.1 200 OK\r\n\r\nhalf', 'rst', false],
    ['without length, ended', 'HTTP/1.1 200 OK\r\n\r\nwhole', 'fin', true],
  ])('%s is visible to HTTP/1.1 and HTTP/2', async (_what, text, ending, isWhole) => {
    const upstream = await startUpstream(says(text, ending));
    const portico = await startFront([upstream.address]);
    expect((await probe(portico.port())).outcome).toBe(isWhole ? 'whole' : 'broken');
    const second = await overHttp2(portico.port());
    expect([second.status, second.complete && second.code === 0]).toEqual([200, isWhole]);
    await backToRest(portico);
  });
});

it('RE21 interim answers are passed on in order, to HTTP/1.1 and HTTP/2, and the final one is intact', async () => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
  const upstream = await startUpstream(
    answering(`${early}${early}${early}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok}`),
  );
  const portico = await startFront([upstream.address]);
  const result = await probe(portico.port());
  expect([result.interim, result.status, result.body]).toEqual([[103, 103, 103, 102], 200, 'hello']);
  const second = await overHttp2(portico.port());
  expect([second.interim, second.status, second.body]).toEqual([[103, 103, 103, 102], 200, 'hello']);
});

it('RE21 with early_hints off 103 alone is left out, over HTTP/1.1 and HTTP/2', async () => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
  const upstream = await startUpstream(answering(`${early}HTTP/1.1 102 Processing\r\n\r\n${early}${ok}`));
  const portico = await startFront([upstream.address], { listener: { early_hints: false } });
  const result = await probe(portico.port());
  expect([result.interim, result.status, result.body]).toEqual([[102], 200, 'hello']);
  const second = await overHttp2(portico.port());
  expect([second.interim, second.status, second.body]).toEqual([[102], 200, 'hello']);
});

it('RE22 an app that is silent, or only sends interim answers, gives 504 at the timeout', async () => {
  const upstream = await startUpstream([
    async (connection) => {
      await connection.head();
    },
    async (connection) => {
      await connection.head();
      for (let n = 0; n < 20 && !connection.ended; n++) {
        await connection.write('HTTP/1.1 103 Early Hints\r\n\r\n');
        await connection.wait(30);
      }
    },
  ]);
  const portico = await startFront([upstream.address], { route: { timeout: '250ms' } });
  for (let n = 0; n < 2; n++) {
    const result = await probe(portico.port());
    expect([result.status, result.body.trim()]).toEqual([504, 'upstream_response_timeout']);
    expect(result.milliseconds).toBeGreaterThan(230);
    expect(result.milliseconds).toBeLessThan(330);
  }
  await backToRest(portico);
});

describe('RE23 an answer without content', () => {
  const framings: [string, string][] = [
    ['content-length', 'Content-Length: 5\r\n'],
    ['chunked', 'Transfer-Encoding: chunked\r\n'],
    ['nothing', ''],
  ];
  const kinds: [string, number, string][] = [
    ['HEAD', 200, 'HEAD'],
    ['304', 304, 'GET'],
    ['204', 204, 'GET'],
  ];
  const cases = kinds.flatMap(([kind, status, method]) =>
    framings
      .filter(([framing]) => status !== 204 || framing === 'nothing')
      .map(([framing, field]) => [kind, framing, status, method, field] as const),
  );
  it.each(cases)(
    'to %s with %s ends where it should, and the connection goes on',
    async (_k, _f, status, method, field) => {
      const upstream = await startUpstream(answering(`HTTP/1.1 ${status} Status\r\n${field}\r\n`));
      const portico = await startFront([upstream.address]);
      const client = new ProbingClient(portico.port());
      for (let n = 0; n < 3; n++) {
        const result = await client.send({ method });
        expect([result.outcome, result.status, result.body]).toEqual(['whole', status, '']);
      }
      expect(client.connections).toBe(1);
      client.close();
    },
  );

  it('of status 205 declares a length of 0 or none, and no content', async () => {
    const upstream = await startUpstream(answering(response(205, '')));
    const portico = await startFront([upstream.address]);
    const result = await probe(portico.port());
    expect([result.outcome, result.status, result.body]).toEqual(['whole', 205, '']);
  });

  it('goes to an HTTP/1.0 client too', async () => {
    const upstream = await startUpstream(answering(ok));
    const portico = await startFront([upstream.address]);
    const result = await probe(portico.port(), { raw: 'GET / HTTP/1.0\r\nHost: app.example\r\n\r\n' });
    expect([result.outcome, result.status, result.body]).toEqual(['whole', 200, 'hello']);
  });
});

// A machine that stops us meanwhile gets another try.
describe('RE25 a client that leaves', { retry: 2 }, () => {
  const circuit_breakers = { max_requests: 1 };

  it.each(['FIN', 'RST'])('while the app thinks (%s) frees everything within 100 ms, for the next one', async (how) => {
    const silent: Script = async (connection) => {
      await connection.head();
    };
    const upstream = await startUpstream([silent, answering(ok)]);
    const portico = await startFront([upstream.address], { cluster: { circuit_breakers } });
    const client = new ProbingClient(portico.port());
    const gone = client.send();
    await eventually(() => upstream.connections[0]?.text.includes('\r\n\r\n') === true, 'the app has it');
    const left = performance.now();
    if (how === 'FIN') client.socket!.destroy();
    else client.socket!.resetAndDestroy();
    await gone;
    await upstream.connections[0]!.closed;
    expect(performance.now() - left).toBeLessThan(100);
    expect(await clusterMetric(portico, 'upstream_requests_active')).toBe(0);
    expect((await probe(portico.port())).status).toBe(200);
  });

  it('while the answer flows frees everything within 100 ms', async () => {
    const endless: Script = async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin');
    };
    const upstream = await startUpstream([endless, answering(ok)]);
    const portico = await startFront([upstream.address], { cluster: { circuit_breakers } });
    const client = new ProbingClient(portico.port());
    const gone = client.send();
    await eventually(
      async () => (await clusterMetric(portico, 'upstream_requests_total', ',code_class="2xx"')) === 1,
      'it flows',
    );
    const left = performance.now();
    client.socket!.destroy();
    await gone;
    await upstream.connections[0]!.closed;
    expect(performance.now() - left).toBeLessThan(100);
    expect((await probe(portico.port())).status).toBe(200);
  });

  it('with RST_STREAM or GOAWAY frees everything within 100 ms', async () => {
    const silent: Script = async (connection) => {
      await connection.head();
    };
    const upstream = await startUpstream([silent, silent, answering(ok)]);
    const portico = await startFront([upstream.address], { cluster: { circuit_breakers } });
    for (const [number, leave] of [
      (stream: http2.ClientHttp2Stream) => stream.destroy(),
      (stream: http2.ClientHttp2Stream) => stream.session!.goaway(http2.constants.NGHTTP2_CANCEL),
    ].entries()) {
      const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
      session.on('error', () => {});
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => {});
      await eventually(() => upstream.connections[number]?.text.includes('\r\n\r\n') === true, 'the app has it');
      const left = performance.now();
      leave(stream);
      await upstream.connections[number]!.closed;
      expect(performance.now() - left).toBeLessThan(100);
      session.destroy();
    }
    expect((await probe(portico.port())).status).toBe(200);
    await backToRest(portico);
  });
});

describe('RE26 an upload that breaks off', () => {
  it('in HTTP/1.1 chunks never looks whole to the app', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const portico = await startFront([upstream.address]);
    const client = new ProbingClient(portico.port());
    const raw = 'POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
    const gone = client.send({ method: 'POST', raw });
    await eventually(() => upstream.connections[0]?.text.includes('hello') === true, 'the app has some');
    client.socket!.destroy();
    await gone;
    await upstream.connections[0]!.closed;
    expect(upstream.connections[0]!.text).not.toContain('0\r\n\r\n');
    await backToRest(portico);
  });

  it('in HTTP/2 never looks whole to the app', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const portico = await startFront([upstream.address]);
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    session.on('error', () => {});
    const stream = session.request({ ':path': '/', ':method': 'POST' });
    stream.on('error', () => {});
    stream.write('hello');
    await eventually(() => upstream.connections[0]?.text.includes('hello') === true, 'the app has some');
    stream.destroy(new Error('gone'));
    await upstream.connections[0]!.closed;
    expect(upstream.connections[0]!.text).not.toContain('0\r\n\r\n');
    session.destroy();
    await backToRest(portico);
  });
});
