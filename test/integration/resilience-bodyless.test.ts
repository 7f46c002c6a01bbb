import http2 from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startUpstream } from '../support/cluster-harness.ts';
import type { Portico } from '../support/portico.ts';
import { probe, ProbingClient } from '../support/probing-client.ts';
import { backToRest, startFront } from '../support/resilience.ts';
import { answering } from '../support/scripted-upstream.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly whole: boolean;
  readonly headers: Readonly<Record<string, unknown>>;
}

interface Client {
  ask(method: string): Promise<Answer>;
  /** Connections it took so far. */
  connections(): number;
}

const clients: Record<string, (portico: Portico) => Client> = {
  'HTTP/1.0': (portico) => {
    let connections = 0;
    return {
      async ask(method) {
        connections++;
        const raw = `${method} / HTTP/1.0\r\nHost: app.example\r\n\r\n`;
        const { status, body, outcome, headers } = await probe(portico.port(), { method, raw });
        return { status, body, whole: outcome === 'whole', headers };
      },
      connections: () => connections,
    };
  },
  'HTTP/1.1': (portico) => {
    const client = new ProbingClient(portico.port());
    onTestFinished(() => client.close());
    return {
      async ask(method) {
        const { status, body, outcome, headers } = await client.send({ method });
        return { status, body, whole: outcome === 'whole', headers };
      },
      connections: () => client.connections,
    };
  },
  'HTTP/2': (portico) => {
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    return {
      ask: (method) =>
        new Promise((resolve) => {
          const stream = session.request({ ':method': method, ':path': '/' });
          let headers: Record<string, unknown> = {};
          let body = '';
          stream.on('response', (received) => (headers = { ...received }));
          stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
          stream.on('error', () => {});
          stream.on('close', () => {
            resolve({ status: Number(headers[':status']), body, whole: stream.rstCode === 0, headers });
          });
        }),
      connections: () => (session.destroyed || session.closed ? 0 : 1),
    };
  },
};

/** Method, status, and whether the client may be told the length of the content that it does not get (RFC 9110 §8.6). */
const kinds: readonly [string, string, number, boolean][] = [
  ['HEAD', 'HEAD', 200, true],
  ['304', 'GET', 304, true],
  ['204', 'GET', 204, false],
];
const framings: readonly [string, string][] = [
  ['a length', 'Content-Length: 5\r\n'],
  ['chunks', 'Transfer-Encoding: chunked\r\n'],
  ['neither', ''],
];

describe.each(Object.entries(clients))('RE23 to an %s client', (protocol, client) => {
  it.each(kinds.flatMap((kind) => framings.map((framing) => [...kind, ...framing] as const)))(
    'an answer to %s (%s, status %i, length may be told: %s) that declares %s has no content, and the next one is its own',
    async (_kind, method, status, tellsLength, _framing, field) => {
      const upstream = await startUpstream(answering(`HTTP/1.1 ${status} Status\r\n${field}\r\n`));
      const portico = await startFront([upstream.address]);
      const asking = client(portico);
      for (let n = 1; n <= 3; n++) {
        const { headers, ...answer } = await asking.ask(method);
        expect(answer).toEqual({ status, body: '', whole: true });
        expect(headers['transfer-encoding']).toBeUndefined();
        if (!tellsLength || field === '') expect(headers['content-length']).toBeUndefined();
        else if (field.startsWith('Content-Length')) expect(headers['content-length']).toBe('5');
      }
      expect(asking.connections()).toBe(protocol === 'HTTP/1.0' ? 3 : 1);
      await backToRest(portico);
    },
  );

  it.each([
    ['no content', 'Content-Length: 0\r\n\r\n'],
    ['no chunks', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('a 205 with %s is whole and empty', async (_framing, rest) => {
    const upstream = await startUpstream(answering(`HTTP/1.1 205 Reset Content\r\n${rest}`));
    const portico = await startFront([upstream.address]);
    const asking = client(portico);
    for (let n = 1; n <= 3; n++) {
      const { headers: _headers, ...answer } = await asking.ask('GET');
      expect(answer).toEqual({ status: 205, body: '', whole: true });
    }
  });
});
