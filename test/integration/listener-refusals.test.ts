import { describe, expect, it } from 'vitest';
import { Headers, localReply, UpstreamError } from '../../src/http/index.ts';
import { http1Codecs } from '../support/http1-codecs.ts';
import { exchangeRaw, RawClient, startListener, statusesIn } from '../support/listener-harness.ts';

describe.each(http1Codecs)('%s: a malformed HTTP/1 request', (_name, http1) => {
  it.each([
    ['two hosts', 'GET / HTTP/1.1\r\nHost: t\r\nHost: evil\r\n\r\n', 400],
    [
      'an unknown transfer coding',
      'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['no version', 'GET /\r\n\r\n', 400],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: t\r\n\r\n', 400],
    ['an escaped slash', 'GET /a%2Fb HTTP/1.1\r\nHost: t\r\n\r\n', 400],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: t\r\nAuthorization: S3CRET\r\n\r\n', 405],
    ['CONNECT', 'CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n', 405],
    [
      'too many header lines',
      `GET / HTTP/1.1\r\nHost: t\r\n${'a: b\r\n'.repeat(1100)}Content-Length: 3\r\n\r\nabc`,
      431,
    ],
    ['too large a head', `GET / HTTP/1.1\r\nHost: t\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
    ['too long a target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: t\r\n\r\n`, 414],
  ])('with %s is answered, logged, counted, and ends the connection', async (_what, bytes, status) => {
    const { port, logs, answered, stats } = await startListener({ http1 });
    const text = await exchangeRaw(port, bytes);
    expect(statusesIn(text)).toEqual([status]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(text).not.toContain('S3CRET');
    expect(answered).toHaveLength(0);
    const [exchange] = await logs(1);
    expect(exchange!.response!.status).toBe(status);
    expect(text).toContain(`\r\n\r\n${exchange!.responseCodeDetails}\n`);
    const metrics = await stats.render();
    expect(metrics).toMatch(
      new RegExp(
        `portico_http_protocol_errors_total\\{listener="test",details="${exchange!.responseCodeDetails}"\\} 1`,
      ),
    );
    expect(metrics).toContain('portico_http_active_exchanges{listener="test"} 0');
  });

  it('is answered after the requests before it', async () => {
    const { port, answered } = await startListener({
      http1,
      answer: () => new Promise((resolve) => setTimeout(() => resolve(localReply(200, 'ok', { body: 'first\n' })), 20)),
    });
    const text = await exchangeRaw(port, 'GET /1 HTTP/1.1\r\nHost: t\r\n\r\nInvalid\r\n\r\n');
    expect(statusesIn(text)).toEqual([200, 400]);
    expect(text.indexOf('first')).toBeLessThan(text.indexOf('400'));
    expect(answered).toHaveLength(1);
  });

  it('whose content breaks off the rules fails for the app and is answered 400', async () => {
    const outcomes: string[] = [];
    const { port, logs } = await startListener({
      http1,
      answer: ({ request, cancellation }) =>
        new Promise((_, reject) => {
          request.body.pipe({ data: () => true, end: () => outcomes.push('end'), error: () => outcomes.push('error') });
          cancellation.onCancel(reject);
        }),
    });
    const client = await RawClient.connect(port);
    client.write('POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.write('nonsense\r\n');
    expect(statusesIn(await client.end())).toEqual([400]);
    expect(outcomes).toEqual(['error']);
    expect((await logs(1))[0]!.responseFlags).toEqual(['DPE']);
  });
});

describe.each(http1Codecs)('%s: an exchange that goes wrong', (_name, http1) => {
  it('with an upstream error is answered with its status and name and no more', async () => {
    const { port, logs, stats } = await startListener({
      http1,
      answer: () => {
        throw new UpstreamError(503, 'UF', 'upstream_connect_failure', {
          untouched: true,
          endpoint: '10.0.0.1:80',
          cause: new Error('ECONNREFUSED 10.0.0.1'),
        });
      },
    });
    const text = await exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n');
    expect(statusesIn(text)).toEqual([503]);
    expect(text.endsWith('\r\n\r\nupstream_connect_failure\n')).toBe(true);
    expect(text).not.toContain('10.0.0.1');
    expect((await logs(1))[0]).toMatchObject({
      responseFlags: ['UF'],
      responseCodeDetails: 'upstream_connect_failure',
    });
    const metrics = await stats.render();
    expect(metrics).toContain('portico_http_response_flags_total{flag="UF"} 1');
    expect(metrics).toContain(
      'portico_http_requests_total{listener="test",virtual_host="test",route="test",code_class="5xx"} 1',
    );
    expect(metrics).toContain('portico_http_request_duration_seconds_count{route="test"} 1');
  });

  it('with any other error is answered 500, and operators are told', async () => {
    const { port, complaints } = await startListener({ http1, answer: () => Promise.reject(new Error('a secret')) });
    const text = await exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n');
    expect(statusesIn(text)).toEqual([500]);
    expect(text).not.toContain('secret');
    expect(complaints.join()).toContain('a secret');
  });

  it('whose client leaves is cancelled at once, logged as 499 DC, and nothing is written', async () => {
    const reasons: string[] = [];
    let asked: () => void = () => {};
    const { port, logs, stats } = await startListener({
      http1,
      answer: ({ cancellation }) =>
        new Promise((_, reject) => {
          asked();
          cancellation.onCancel((reason) => {
            reasons.push(reason.message);
            reject(reason);
          });
        }),
    });
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const client = await RawClient.connect(port);
      const reached = new Promise<void>((resolve) => (asked = resolve));
      client.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
      await reached;
      client.socket[leave]();
    }
    const logged = await logs(3);
    expect(reasons).toHaveLength(3);
    for (const { responseFlags, response, bytesSent } of logged) {
      expect(responseFlags).toEqual(['DC']);
      expect(response!.status).toBe(499);
      expect(bytesSent).toBe(0);
    }
    expect(await stats.render()).toContain('portico_http_active_exchanges{listener="test"} 0');
  });

  it('still reaches a client that has closed its side only, when the answer is near', async () => {
    const { port } = await startListener({
      http1,
      answer: () => new Promise((resolve) => setTimeout(() => resolve(localReply(200, 'ok')), 10)),
    });
    const client = await RawClient.connect(port);
    client.socket.end('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(statusesIn(await client.end())).toEqual([200]);
  });

  it('because a filter never answers is ended by the idle timer, and a late answer is let go of', async () => {
    let cancelled = '';
    let answerLate: () => void = () => {};
    const { port, logs } = await startListener({
      http1,
      idleTimeout: 60,
      answer: () =>
        new Promise((resolve) => {
          answerLate = () =>
            resolve({
              status: 200,
              headers: new Headers(),
              body: {
                length: undefined,
                whole: undefined,
                pipe() {},
                resume() {},
                cancel: (reason) => (cancelled = reason.message),
              },
            });
        }),
    });
    const client = await RawClient.connect(port);
    client.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(statusesIn(await client.expects('stream_idle_timeout\n'))).toEqual([504]);
    expect((await logs(1))[0]!.responseFlags).toEqual(['SI']);
    answerLate();
    await new Promise(setImmediate);
    expect(cancelled).toBe('the answer came too late');
  });

  it('because its response falls silent is broken visibly', async () => {
    const { port, logs } = await startListener({
      http1,
      idleTimeout: 60,
      answer: () => ({
        status: 200,
        headers: new Headers(),
        body: {
          length: undefined,
          whole: undefined,
          pipe: (sink) => void sink.data(Buffer.from('part')),
          resume() {},
          cancel() {},
        },
      }),
    });
    const text = await exchangeRaw(port, 'GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(text).toContain('part');
    expect(text).not.toContain('\r\n0\r\n');
    expect((await logs(1))[0]).toMatchObject({ responseFlags: ['SI'], responseCodeDetails: 'stream_idle_timeout' });
  });
});

describe.each(http1Codecs)('%s: slow HTTP/1 clients', (_name, http1) => {
  it('are answered 408 when their headers or their body take too long, and closed when they say nothing', async () => {
    const { port, logs } = await startListener({
      http1,
      answer: async ({ request }) => {
        await new Promise<void>((resolve, reject) =>
          request.body.pipe({ data: () => true, end: () => resolve(), error: reject }),
        );
        return localReply(200, 'ok');
      },
      config: { request_headers_timeout: '100ms', request_timeout: '200ms' },
    });
    expect(statusesIn(await exchangeRaw(port, 'GET / HTTP/1.1\r\nHost: t\r\n'))).toEqual([408]);
    expect(statusesIn(await exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx'))).toEqual([
      408,
    ]);
    expect(await exchangeRaw(port, '')).toBe('');
    expect(await exchangeRaw(port, 'PRI')).toBe('');
    for (const { responseCodeDetails } of await logs(2))
      expect(responseCodeDetails).toMatch(/^request_(headers_)?timeout$/);
  });

  it('lose an idle connection after idle_timeout', async () => {
    const { port } = await startListener({ http1, config: { idle_timeout: '60ms' } });
    const client = await RawClient.connect(port);
    client.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.expects('GET /\n');
    await client.end();
  });
});
