import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Http1Connection } from '../../src/cluster/http1-connection.ts';
import { launchPortico, type Portico } from '../support/portico.ts';
import { readCases, unescape, type WireCase } from '../../src/conformance/case-file.ts';
import { observe } from '../../src/conformance/observe.ts';
import { exchangeBytes } from '../../src/conformance/raw-client.ts';
import { Recorder } from '../../src/conformance/recorder.ts';

const cases = readCases('h1-');

/** Milliseconds of silence after which nothing more is expected. */
const quiet = 100;

describe.concurrent('HTTP/1.1 requests', () => {
  // Lanes of their own: what reaches the app must be this case's alone.
  const lanes = 6;
  const worlds: { portico: Portico; recorder: Recorder; busy: Promise<unknown> }[] = [];

  beforeAll(async () => {
    for (let lane = 0; lane < lanes; lane++) {
      const recorder = await Recorder.start();
      const portico = await launchPortico(
        `listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${recorder.port}'] }]`,
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

  function inLane<T>(index: number, work: (world: { portico: Portico; recorder: Recorder }) => Promise<T>): Promise<T> {
    const world = worlds[index % lanes]!;
    const result = world.busy.then(() => work(world));
    world.busy = result.catch(() => {});
    return result;
  }

  it('are all here', () => {
    expect(cases.length).toBeGreaterThanOrEqual(303);
    expect(Http1Connection).toBeDefined();
  });

  it.each(cases.map((one, index) => [one.id, one.title, one, index] as const))(
    '%s %s',
    async (_id, _title, wanted, index) => {
      await inLane(index, async ({ portico, recorder }) => {
        const { client, app } = await observe(connect(portico.port(), '127.0.0.1'), recorder, [wanted.bytes], {
          quiet,
          expected: expectedOf(wanted),
        });
        expect({ client, app }).toEqual({ client: wanted.fields.get('client'), app: wanted.fields.get('app') });
        checkHead(wanted, recorder);
        await canary(portico);
      });
    },
    60_000,
  );

  it.each(
    cases
      .filter(({ bytes }) => bytes.length <= 200)
      .filter((_, index) => index % 8 === 0)
      .map((one, index) => [one.id, one, index] as const),
  )(
    '%s means the same when its bytes come one by one',
    async (_id, wanted, index) => {
      await inLane(index, async ({ portico, recorder }) => {
        const pieces = [...wanted.bytes].map((byte) => Buffer.from([byte]));
        const { client } = await observe(connect(portico.port(), '127.0.0.1'), recorder, pieces, {
          quiet,
          expected: expectedOf(wanted),
        });
        // A client that waits for 100 may get one before its content has come, and what is wrong may show earlier, by another name.
        const essence = (text: string) => text.replace(/^100, /, '').replace(/ [a-z_]+(?=,)/g, '');
        expect(essence(client)).toBe(essence(wanted.fields.get('client')!));
      });
    },
    60_000,
  );
});

/** What the client must see before silence means anything: machines are slow at times. */
function expectedOf({ fields }: WireCase): { answers: number; closed: boolean } {
  const parts = fields.get('client')!.split(', ');
  return {
    answers: parts.filter((part) => /^[2-5]\d\d(?!.* broken)/.test(part)).length,
    closed: parts.at(-1) === 'closed',
  };
}

function checkHead(wanted: WireCase, recorder: Recorder): void {
  const head = recorder.requests[0]?.text.toLowerCase() ?? '';
  const has = wanted.fields.get('app-has');
  const lacks = wanted.fields.get('app-lacks') ?? wanted.fields.get('own-app-lacks');
  if (has !== undefined)
    for (const text of has.split(' | ')) expect(head).toContain(unescape(text).toString('latin1').toLowerCase());
  if (lacks !== undefined)
    for (const text of lacks.split(' | ')) expect(head).not.toContain(unescape(text).toString('latin1').toLowerCase());
}

/** Whatever the case did, the next client gets its own answer. */
async function canary(portico: Portico): Promise<void> {
  const seen = await exchangeBytes(
    portico.port(),
    [Buffer.from('GET /canary HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n')],
    { quiet: 2000 },
  );
  expect(seen.messages.map(({ status, body }) => [status, body])).toEqual([[200, 'ok']]);
}
