import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { escape, readCases } from '../../src/conformance/case-file.ts';
import { Recorder } from '../../src/conformance/recorder.ts';
import { Mutator } from '../fuzz/mutate.ts';
import { requestSeeds } from '../fuzz/seeds.ts';
import { Random } from '../support/random.ts';
import { answerPlainly, Tapped } from '../support/tapped.ts';
import { countRequests } from './properties/grammar.ts';
import { answered, Lanes } from './properties/lanes.ts';
import { seed } from './properties/seed.ts';

describe('what Portico sends to the app', () => {
  let lanes: Lanes;
  beforeAll(async () => void (lanes = await Lanes.open(6, 40)));
  afterAll(() => lanes?.close());

  it('is read the same by two parsers, whatever clients send', async () => {
    const cases = readCases('h1-').map(({ bytes }) => bytes);
    const mutator = new Mutator(new Random(seed), requestSeeds());
    const messages = [...cases, ...Array.from({ length: 1500 }, () => mutator.next())];
    const taps = new Map(lanes.recorders.map((recorder) => [recorder, new Tapped(recorder)]));
    for (const recorder of taps.keys()) recorder.respond = answerPlainly;
    const observed = await lanes.observeAll(
      messages,
      (index) => (countRequests(messages[index]!.toString('latin1')) > 0 ? answered : undefined),
      (recorder, { requests }) => taps.get(recorder)!.note(requests),
    );

    const wrong = observed.flatMap((seen, index) => {
      const why = lanes.wrongAtTheApp(seen);
      return why === undefined ? [] : [`${why}: ${escape(messages[index]!)}`];
    });
    expect(wrong, `seed ${seed}`).toEqual([]);
    for (const tapped of taps.values()) expect(await tapped.disagreements(), `seed ${seed}`).toEqual([]);
    // It was worth the effort only if many got through.
    expect(observed.flatMap(({ requests }) => requests).length).toBeGreaterThan(400);
  }, 60_000);

  it.each([
    ['a field that only one of them drops', 'GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n'],
    ['two framings', 'POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    [
      'a body that one of them takes for a request',
      'POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\nGET / HTTP/1.1\r\n\r\n',
    ],
  ])('would be told apart here: %s', async (_, text) => {
    const recorder = await Recorder.start();
    onTestFinished(() => recorder.stop());
    const tapped = new Tapped(recorder);
    const socket = connect(recorder.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(Buffer.from(text));
    await new Promise((resolve) => socket.on('close', resolve).resume());
    tapped.note(recorder.requests);
    expect(recorder.unreadable.length + (await tapped.disagreements()).length).toBeGreaterThan(0);
  });
});
