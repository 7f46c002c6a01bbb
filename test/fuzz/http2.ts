import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { readCases } from '../../src/conformance/case-file.ts';
import { Recorder } from '../../src/conformance/recorder.ts';
import {
  fieldName,
  FrameReader,
  FrameWriter,
  HeaderDecoder,
  HeaderEncoder,
  type FrameSink,
  type HeaderList,
} from '../../src/http2/index.ts';
import { FrameClient } from '../conformance/h2-client.ts';
import { block, frame, frameOf, numbers, preface, request, setting } from '../conformance/h2-frames.ts';
import type { Random } from '../support/random.ts';
import { calm, judgeApp, judgeLog, markName } from './judge.ts';
import { PorticoProcess } from './portico-process.ts';

export interface FrameTally {
  sequences: number;
  /** Frames that were whole and sound by their heads. */
  frames: number;
  /** Blocks of fields that could be read. */
  blocks: number;
}

export interface Http2SocketTally {
  sequences: number;
  /** Requests that reached the app whole. */
  whole: number;
  canaries: number;
}

const limits = { maxSize: 4096, maxCount: 50 };
/** At once. */
const clients = 16;
/** Milliseconds of silence after which a client leaves. */
const quiet = 15;

/**
 * Gives mutated frames to the reader and their payloads to the decoder: nothing throws, the pieces in which bytes arrive
 * do not matter, and what is read can be written and read again.
 * @throws Error with the number of the sequence and its bytes
 */
export function fuzzFrames(random: Random, count: number): FrameTally {
  const tally: FrameTally = { sequences: 0, frames: 0, blocks: 0 };
  const seeds = sequences();
  while (tally.sequences < count) {
    const number = tally.sequences++;
    const frames = mutate(random, seeds);
    const bytes = Buffer.concat(frames);
    try {
      const whole = eventsOf([bytes]);
      if (!isDeepStrictEqual(whole, eventsOf(random.split(bytes)))) throw new Error('other frames in several pieces');
      tally.frames += whole.length;
      const decoder = new HeaderDecoder();
      for (const one of frames) {
        const list = decoder.decode(one, Math.min(9, one.length), one.length, limits);
        if (typeof list === 'string') break;
        tally.blocks++;
        checkList(list);
      }
    } catch (error) {
      throw new Error(`sequence ${number}: ${(error as Error).message}\n${bytes.toString('hex')}`, { cause: error });
    }
  }
  return tally;
}

/** The content of a DATA frame counts as a whole: it may come in pieces. */
function eventsOf(pieces: readonly Buffer[]): string[] {
  const events: string[] = [];
  let content = '';
  const sink: FrameSink = {
    frame: (...[type, flags, stream, bytes, start, end]) =>
      events.push([type, flags, stream, bytes.toString('hex', start, end)].join(' ')),
    dataBegins: (...head) => events.push(`data ${head.join(' ')}`),
    data: (piece) => (content += piece.toString('hex')),
    dataEnds: (end) => {
      events.push(`content ${content} ${end}`);
      content = '';
    },
    fault: ({ details }) => events.push(details),
  };
  const reader = new FrameReader(sink);
  for (const piece of pieces) reader.read(piece);
  return events;
}

function checkList({ flat, size, count, exceeded }: HeaderList): void {
  if (flat.length / 2 > limits.maxCount || (!exceeded && flat.length / 2 !== count))
    throw new Error('too many fields kept');
  const kept = flat.join('').length + 16 * flat.length;
  if (kept > limits.maxSize || (!exceeded && kept !== size)) throw new Error('another size than that of the fields');
  const to = new FrameWriter();
  const encoder = new HeaderEncoder();
  for (let at = 0; at < flat.length; at += 2) encoder.field(to, fieldName(flat[at]!), flat[at + 1]!);
  const bytes = Buffer.concat(to.take());
  const again = new HeaderDecoder().decode(bytes, 0, bytes.length, limits);
  if (typeof again === 'string' || !isDeepStrictEqual(again.flat, flat)) throw new Error('other fields when written');
}

/**
 * Sends mutated frames to a running Portico.
 * @throws Error when the process dies or complains, something hangs, the app is given what is unreadable or not written by
 *   Portico, or an honest client does not get its own answer
 */
export async function fuzzHttp2Sockets(random: Random, count: number): Promise<Http2SocketTally> {
  const mark = randomUUID();
  const app = await Recorder.start();
  const portico = await PorticoProcess.start(`
listeners: [{ name: http, address: 127.0.0.1:0, via: '' }]
http_filters: [{ name: headers, config: { request: { set: { ${markName}: ${mark} } } } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`);
  const tally: Http2SocketTally = { sequences: 0, whole: 0, canaries: 0 };
  const seeds = sequences();
  try {
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (tally.sequences < count) {
          const number = ++tally.sequences;
          const bytes = Buffer.concat([preface, frame('SETTINGS', 0), ...mutate(random, seeds)]);
          await send(portico, random.split(bytes, 3));
          if (number % 10 === 0) await canary(portico, ++tally.canaries);
          if (!portico.alive)
            throw new Error(`portico died at sequence ${number}: ${bytes.toString('hex')}\n${portico.output}`);
        }
      }),
    );
    await calm(portico);
    tally.whole = app.requests.filter(({ complete }) => complete).length;
    judgeApp(app, mark);
    judgeLog(portico.output);
    return tally;
  } finally {
    await portico.stop();
    await app.stop();
  }
}

async function send(portico: PorticoProcess, pieces: readonly Buffer[]): Promise<void> {
  const client = new FrameClient(connect(portico.port, '127.0.0.1'));
  for (const piece of pieces) {
    client.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.quiet(quiet);
  client.socket.destroy();
}

async function canary(portico: PorticoProcess, number: number): Promise<void> {
  const client = new FrameClient(connect(portico.port, '127.0.0.1'));
  const fields = request('GET', `/canary/${number}`);
  client.begin(
    Buffer.alloc(0),
    frame('SETTINGS', 0, ['ACK']),
    frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], fields),
  );
  await client.until(() => client.answered(1));
  client.socket.destroy();
  const got = `${client.saw().join()} ${client.content(1).toString()}`;
  if (got !== '200 ok') throw new Error(`canary ${number} got ${JSON.stringify(got)}`);
}

/** Frames to start from, a sequence each; half are such as go through. */
function sequences(): Buffer[][] {
  const cases = readCases('h2-').map(({ lines }) => lines.map(frameOf));
  const get = (stream: number) => frame('HEADERS', stream, ['END_STREAM', 'END_HEADERS'], request('GET', '/'));
  const post = (stream: number, ...fields: [string, string][]) =>
    frame('HEADERS', stream, ['END_HEADERS'], request('POST', '/', ...fields));
  const good = [
    [get(1), get(3), frame('RST_STREAM', 3, [], numbers(8)), get(5)],
    [post(1, ['content-length', '5']), frame('DATA', 1, ['END_STREAM'], Buffer.from('hello'))],
    [
      post(1),
      frame('DATA', 1, ['PADDED'], Buffer.from('\x02hello\0\0')),
      frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], block([['x-sum', '1']])),
    ],
    [
      frame('SETTINGS', 0, [], setting(4, 1)),
      get(1),
      frame('WINDOW_UPDATE', 1, [], numbers(1000)),
      frame('PING', 0, [], numbers(1, 2)),
    ],
    [
      frame(
        'HEADERS',
        1,
        ['END_STREAM'],
        block([
          [':method', 'GET'],
          [':scheme', 'http'],
        ]),
      ),
      frame(
        'CONTINUATION',
        1,
        ['END_HEADERS'],
        block([
          [':path', '/'],
          [':authority', 't'],
        ]),
      ),
    ],
    // Indexed and Huffman coded fields (RFC 7541 appendix C.4).
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ].map((hex, at) => frame('HEADERS', 2 * at + 1, ['END_STREAM', 'END_HEADERS'], Buffer.from(hex, 'hex'))),
    [frame('PRIORITY', 1, [], Buffer.from('0000000005', 'hex')), get(1), frame('GOAWAY', 0, [], numbers(0, 0))],
  ];
  return [...cases, ...Array.from({ length: 10 }, () => good).flat()];
}

type Mutation = (frames: Buffer[], at: number, random: Random) => void;

const mutations: readonly Mutation[] = [
  function changeByte(frames, at, random) {
    const changed = Buffer.from(frames[at]!);
    if (changed.length > 0) changed[random.below(changed.length)] = random.below(256);
    frames[at] = changed;
  },
  function flipBit(frames, at, random) {
    const changed = Buffer.from(frames[at]!);
    if (changed.length > 0) changed[random.below(changed.length)]! ^= 1 << random.below(8);
    frames[at] = changed;
  },
  function changeHead(frames, at, random) {
    const changed = Buffer.from(frames[at]!);
    if (changed.length >= 9) {
      const [place, value] = random.pick([
        [3, random.below(11)],
        [4, random.below(64)],
        [8, random.below(8)],
        [2, random.below(64)],
      ]);
      changed[place] = value!;
    }
    frames[at] = changed;
  },
  (frames, at) => frames.splice(at, 1),
  (frames, at) => frames.splice(at, 0, frames[at]!),
  (frames, at, random) => frames.splice(random.below(frames.length), 0, ...frames.splice(at, 1)),
  (frames, at, random) => frames.splice(at, 0, insertion(random)),
  (frames, at, random) => frames.splice(at + 1, 0, insertion(random)),
  function repeatMany(frames, at, random) {
    frames.splice(at, 0, ...Array.from({ length: random.below(120) }, () => frames[at]!));
  },
  function truncate(frames, at, random) {
    frames[at] = frames[at]!.subarray(0, random.below(frames[at]!.length + 1));
  },
];

const edges = [0, 1, 2, 100, 16_383, 16_384, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

function insertion(random: Random): Buffer {
  const stream = random.below(8);
  switch (random.below(8)) {
    case 0:
      return frame('WINDOW_UPDATE', stream, [], numbers(random.pick(edges)));
    case 1:
      return frame('RST_STREAM', stream, [], numbers(random.below(14)));
    case 2:
      return frame('SETTINGS', 0, [], setting(random.below(8), random.pick(edges)));
    case 3:
      return frame('PRIORITY', stream, [], Buffer.from([0, 0, 0, random.below(8), 1]));
    case 4:
      return frame('DATA', stream, random.below(2) === 0 ? [] : ['END_STREAM'], Buffer.alloc(random.below(100)));
    case 5:
      return frame('CONTINUATION', stream, random.below(2) === 0 ? [] : ['END_HEADERS']);
    case 6:
      return frame('GOAWAY', 0, [], numbers(random.below(9), random.below(14)));
    default:
      return frame('HEADERS', stream, ['END_HEADERS', 'END_STREAM'], request('GET', '/'));
  }
}

/** One change, or several. */
function mutate(random: Random, seeds: readonly Buffer[][]): Buffer[] {
  const frames = [...random.pick(seeds)];
  do {
    if (frames.length === 0) frames.push(insertion(random));
    random.pick(mutations)(frames, random.below(frames.length), random);
  } while (random.below(2) === 0);
  return frames;
}
