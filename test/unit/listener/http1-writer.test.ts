import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Exchange, Headers, localReply, noBody } from '../../../src/http/index.ts';
import { Http1Writer } from '../../../src/listener/http1/writer.ts';
import { Watch, type Ending } from '../../../src/listener/watch.ts';

describe('the writer of a response', () => {
  it('takes a closed socket for a client that is gone, though the socket has not said so yet', async () => {
    const downstream = {
      listener: 'http',
      connectionId: 1,
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      localAddress: '127.0.0.1',
      localPort: 2,
      tls: undefined,
    };
    const request = {
      method: 'GET',
      scheme: 'http',
      authority: 't',
      path: '/',
      headers: new Headers(),
      body: noBody,
      upgrade: undefined,
    } as const;
    const exchange = new Exchange(downstream, 'HTTP/1.1', { ...request }, '127.0.0.1', { time: 0, monotonic: 0 });
    const socket = new Socket();
    socket.destroy();
    const watch = new Watch();
    const endings: Ending['kind'][] = [];
    watch.onEnd({
      ended: ({ kind }) => void endings.push(kind),
      silent: () => ({ kind: 'gone', reason: new Error('silence') }),
    });
    const writer = new Http1Writer(socket, exchange, watch, {
      http11: true,
      earlyHints: true,
      date: () => '',
      mayKeepAlive: () => true,
      elapsed: () => 0,
    });
    expect(await writer.send(localReply(200, 'x'))).toBeInstanceOf(Error);
    expect(endings).toEqual(['gone']);
    expect(writer.complete).toBe(false);
  });
});
