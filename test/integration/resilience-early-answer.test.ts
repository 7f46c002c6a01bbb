import http2 from 'node:http2';
import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startUpstream } from '../support/cluster-harness.ts';
import { probe } from '../support/probing-client.ts';
import { backToRest, startFront } from '../support/resilience.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';

const size = 50 * 1024 * 1024;
const piece = Buffer.alloc(64 * 1024, 'x');

/** Answers as soon as it has seen the head, and reads no content. */
const early: Script = async (connection) => {
  await connection.head();
  connection.stopReading();
  await connection.write(response(413, 'too much'));
};

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Bytes of content that were given to the kernel until the answer was there. */
  readonly sent: number;
  readonly connectionEnds: boolean;
  /** With what the stream was ended; undefined without streams. */
  readonly code?: number;
  /** Milliseconds until the client had the answer. */
  readonly after: number;
}

function overHttp1(port: number, framing: 'length' | 'chunks'): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    let sent = 0;
    let after = Infinity;
    const began = performance.now();
    const field = framing === 'length' ? `Content-Length: ${size}` : 'Transfer-Encoding: chunked';
    socket.write(`POST / HTTP/1.1\r\nHost: app.example\r\n${field}\r\n\r\n`);
    const write = () => {
      for (let room = true; room && sent < size && !socket.destroyed; sent += piece.length) {
        if (framing === 'chunks') socket.write(`${piece.length.toString(16)}\r\n`);
        room = socket.write(piece);
        if (framing === 'chunks') socket.write('\r\n');
      }
    };
    socket.on('drain', write);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      after = Math.min(after, performance.now() - began);
    });
    // A client that goes on sending is reset in the end; it has had its answer by then.
    socket.on('error', () => {});
    socket.on('close', () => {
      resolve({
        status: Number(text.slice(9, 12)),
        body: text.slice(text.indexOf('\r\n\r\n') + 4),
        sent,
        connectionEnds: /^connection: close\r$/im.test(text),
        after,
      });
    });
    write();
  });
}

function overHttp2(port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    let sent = 0;
    let status = 0;
    let body = '';
    let after = Infinity;
    const began = performance.now();
    const write = () => {
      for (let room = true; room && sent < size && !stream.destroyed; sent += piece.length) room = stream.write(piece);
    };
    stream.on('drain', write);
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
      after = performance.now() - began;
    });
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('error', () => {});
    stream.on('close', () => {
      const connectionEnds = session.destroyed || session.closed;
      resolve({ status, body, sent, connectionEnds, code: stream.rstCode, after });
    });
    write();
  });
}

describe('RE18 an app that answers before a large upload is through', () => {
  it.each<[string, (port: number) => Promise<Answer>, boolean]>([
    ['HTTP/1.1 with its length', (port) => overHttp1(port, 'length'), true],
    ['HTTP/1.1 in chunks', (port) => overHttp1(port, 'chunks'), true],
    ['HTTP/2', overHttp2, false],
  ])('is heard at once over %s; its connection is not used again', async (_name, ask, connectionEnds) => {
    const upstream = await startUpstream([early, answering(response(200, 'next'))]);
    const portico = await startFront([upstream.address]);
    const answer = await ask(portico.port());
    expect([answer.status, answer.body]).toEqual([413, 'too much']);
    expect(answer.sent).toBeLessThan(size);
    expect(answer.connectionEnds).toBe(connectionEnds);
    // RFC 9113 §8.1: the answer is whole, and NO_ERROR asks for no more of the request.
    if (!connectionEnds) expect(answer.code).toBe(http2.constants.NGHTTP2_NO_ERROR);
    expect(answer.after).toBeLessThan(2000);
    // It has not been reading, and would not see the end.
    upstream.connections[0]!.socket.resume();
    await upstream.connections[0]!.closed;
    expect((await probe(portico.port())).body).toBe('next');
    expect(upstream.connections).toHaveLength(2);
    await backToRest(portico);
  });

  it('closes an HTTP/1 connection soon, however slowly its client goes on sending', async () => {
    const upstream = await startUpstream(early);
    const portico = await startFront([upstream.address]);
    // Its own side stays open when the other one ends.
    const socket = net.connect({ port: portico.port(), host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(`POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: ${size}\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    const answered = performance.now();
    const timer = setInterval(() => socket.write('x'), 50);
    onTestFinished(() => clearInterval(timer));
    await new Promise((resolve) => socket.once('close', resolve));
    // A second, and what other work on the machine adds.
    expect(performance.now() - answered).toBeLessThan(4000);
    await backToRest(portico);
  });
});
