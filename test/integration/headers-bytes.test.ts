import http2 from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startUpstream } from '../support/cluster-harness.ts';
import { probe, ProbingClient } from '../support/probing-client.ts';
import { startFront } from '../support/resilience.ts';
import type { Script } from '../support/scripted-upstream.ts';

const edits = {
  request: {
    remove: ['x-secret', 'x-missing'],
    set: { 'X-Set': 'one', 'x-agent': '%REQ(user-agent)%', 'x-path': '%REQ(:PATH)%' },
    append: { 'x-list': ['two', '%REQ(x-user)%'] },
    add_if_absent: { 'x-there': 'no', 'X-Absent': 'yes' },
  },
  response: {
    remove: ['server', 'x-nothing'],
    append: { 'Set-Cookie': ['c=3; Path=/', 'd=4'] },
    set: { 'x-only': '1' },
  },
};

const app: Script = async (connection) => {
  for (;;) {
    await connection.head();
    await connection.write(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: app\r\nSet-Cookie: a=1\r\nX-Only: 8\r\nset-cookie: b=2; \xe9\xff\r\nX-Only: 9\r\nX-Bytes: \x80\xfe\xff\r\n\r\nok',
    );
  }
};

async function start() {
  const upstream = await startUpstream(app);
  const portico = await startFront([upstream.address], { http_filters: [{ name: 'headers', config: edits }] });
  /** Lines of the last request, without those that Portico writes for itself. */
  const asked = () => {
    const heads = upstream.connections.map(({ text }) => text).join('');
    const lines = heads.slice(heads.lastIndexOf(' HTTP/1.1\r\n') + 11, -4).split('\r\n');
    return lines.filter((line) => !/^(?:host|via|x-forwarded-\w+|x-request-id):/i.test(line));
  };
  return { upstream, portico, asked };
}

describe('RE53 the headers filter', () => {
  it('leaves exactly these bytes for the app, and these for an HTTP/1.1 client', async () => {
    const { portico, asked } = await start();
    const client = new ProbingClient(portico.port());
    onTestFinished(() => client.close());
    let text = '';
    const answer = client.send({
      path: '/a?b=%0d%0aX-Evil:%201',
      headers: [
        'User-Agent: \xe9\x80 "q"',
        'x-set: old',
        'X-SET: older',
        'X-Secret: 1',
        'X-List: one',
        'x-user: Zo\xeb',
        'x-There: mine',
      ],
    });
    client.socket!.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    expect((await answer).status).toBe(200);
    expect(asked()).toEqual([
      'User-Agent: \xe9\x80 "q"',
      'X-Set: one',
      'X-List: one',
      'x-user: Zo\xeb',
      'x-There: mine',
      'x-agent: \xe9\x80 "q"',
      'x-path: /a?b=%0d%0aX-Evil:%201',
      'X-Absent: yes',
      'x-list: two',
      'x-list: Zo\xeb',
    ]);
    const lines = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
    expect(lines.filter((line) => !/^(?:HTTP|date|via|content-length|connection):?/i.test(line))).toEqual([
      'Set-Cookie: a=1',
      'x-only: 1',
      'set-cookie: b=2; \xe9\xff',
      'X-Bytes: \x80\xfe\xff',
      'Set-Cookie: c=3; Path=/',
      'Set-Cookie: d=4',
    ]);
  });

  it('keeps cookies apart for an HTTP/2 client', async () => {
    const { portico } = await start();
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    stream.resume();
    const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once('response', resolve));
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2; \xe9\xff', 'c=3; Path=/', 'd=4']);
    expect([headers['x-only'], headers.server]).toEqual(['1', undefined]);
  });

  it.each([
    ['a line end', 'a\r\nX-Evil: 1'],
    ['a bare line feed', 'a\nX-Evil: 1'],
    ['a bare carriage return', 'a\rX-Evil: 1'],
    ['a NUL', 'a\0X-Evil: 1'],
  ])('lets no value with %s out of its line', async (_, value) => {
    const { portico, upstream } = await start();
    const { status } = await probe(portico.port(), { headers: [`User-Agent: ${value}`] });
    const forwarded = upstream.connections.map(({ text }) => text).join('');
    // A line end makes it a header of the client's own, which he may send; the filter copies the first line only.
    if (value.includes('\r\n')) {
      expect(status).toBe(200);
      expect(forwarded).toContain('\r\nx-agent: a\r\n');
      expect(forwarded.match(/X-Evil/g)).toHaveLength(1);
    } else {
      expect(status).toBe(400);
      expect(forwarded).toBe('');
    }
  });
});
