import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCases, unescape, type WireCase } from '../../src/conformance/case-file.ts';
import { appSaw } from '../../src/conformance/observe.ts';
import { Recorder } from '../../src/conformance/recorder.ts';
import { makeAuthority } from '../support/certificates.ts';
import { launchPortico, type Portico } from '../support/portico.ts';
import { FrameClient } from './h2-client.ts';
import { frame, frameOf, request } from './h2-frames.ts';

const cases = readCases('h2-');

/** Milliseconds of silence after which nothing more is expected. */
const quiet = 100;

interface World {
  readonly portico: Portico;
  readonly recorder: Recorder;
  busy: Promise<unknown>;
}

describe.concurrent('HTTP/2 requests', () => {
  // Lanes of their own: what reaches the app must be this case's alone.
  const lanes = 6;
  const worlds: World[] = [];

  beforeAll(async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue('localhost');
    for (let lane = 0; lane < lanes; lane++) {
      const recorder = await Recorder.start();
      const portico = await launchPortico(
        `listeners:
  - { name: http, address: 127.0.0.1:0 }
  - { name: https, address: 127.0.0.1:0, tls: { certificates: [{ certificate_chain: tls.crt, private_key: tls.key }] } }
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${recorder.port}'] }]`,
        { files: { 'tls.crt': cert, 'tls.key': key } },
      );
      worlds.push({ portico, recorder, busy: Promise.resolve() });
    }
  });

  afterAll(async () => {
    for (const { portico, recorder } of worlds) {
      await portico.stop();
      await recorder.stop();
    }
  });

  function inLane<T>(index: number, work: (world: World) => Promise<T>): Promise<T> {
    const world = worlds[index % lanes]!;
    const result = world.busy.then(() => work(world));
    world.busy = result.catch(() => {});
    return result;
  }

  it('are all here', () => {
    expect(cases.length).toBeGreaterThanOrEqual(72);
  });

  it.each(cases.map((one, index) => [one.id, one.title, one, index] as const))(
    '%s %s',
    async (_id, _title, wanted, index) => {
      await inLane(index, (world) => examine(wanted, world, plain(world.portico)));
    },
    60_000,
  );

  it.each(cases.filter((_, index) => index % 6 === 0).map((one, index) => [one.id, one, index] as const))(
    '%s means the same over TLS',
    async (_id, wanted, index) => {
      await inLane(index, (world) => examine(wanted, world, overTls(world.portico)));
    },
    60_000,
  );
});

function plain(portico: Portico): Socket {
  return connect(portico.port('http'), '127.0.0.1');
}

function overTls(portico: Portico): Socket {
  return connectTls({
    port: portico.port('https'),
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
}

async function examine({ lines, fields }: WireCase, { portico, recorder }: World, socket: Socket): Promise<void> {
  recorder.reset();
  const client = new FrameClient(socket);
  client.begin(Buffer.alloc(0), ...lines.map(frameOf));
  const expected = { client: fields.get('client'), app: fields.get('app') };
  let seen: typeof expected = { client: undefined, app: undefined };
  // A busy machine is given more time before it is called wrong.
  for (const silence of [quiet, 10 * quiet]) {
    await client.quiet(silence);
    seen = { client: [...client.saw(), client.closed ? 'closed' : 'open'].join(', '), app: appSaw(recorder) };
    if (isDeepStrictEqual(seen, expected)) break;
  }
  socket.destroy();
  expect(seen).toEqual(expected);
  const head = recorder.requests[0]?.text.toLowerCase() ?? '';
  for (const text of textsOf(fields, 'app-has')) expect(head).toContain(text);
  for (const text of textsOf(fields, 'app-lacks')) expect(head).not.toContain(text);
  await canary(portico);
}

function textsOf(fields: WireCase['fields'], name: string): string[] {
  const texts = fields.get(name)?.split(' | ') ?? [];
  return texts.map((text) => unescape(text).toString('latin1').toLowerCase());
}

/** Whatever the case did, the next client gets its own answer. */
async function canary(portico: Portico): Promise<void> {
  const client = new FrameClient(plain(portico));
  client.begin(
    Buffer.alloc(0),
    frame('SETTINGS', 0, ['ACK']),
    frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], request('GET', '/canary')),
  );
  await client.until(() => client.answered(1));
  expect([client.saw(), client.content(1).toString()]).toEqual([['200'], 'ok']);
  client.socket.destroy();
}
