import { expect, it } from 'vitest';
import { mostUnderWay, Peers, type PeerMessage } from '../../../src/workers/peers.ts';

/** Two workers, with a primary that passes on what it is given when it is told to. */
function twoWorkers() {
  const waiting: (() => void)[] = [];
  const workers: Peers[] = [];
  const make = (other: number) =>
    new Peers((message: PeerMessage, sent) => {
      waiting.push(() => {
        sent();
        workers[other]!.hear(message);
      });
    });
  workers.push(make(1), make(0));
  return {
    one: workers[0]!,
    two: workers[1]!,
    deliver: () => waiting.splice(0).forEach((pass) => pass()),
  };
}

it('tells the same filter of the other worker, in order, and no other filter', () => {
  const { one, two, deliver } = twoWorkers();
  const heard: unknown[] = [];
  two.of('limit').listen((message) => heard.push(message));
  two.of('other').listen(() => heard.push('wrong'));
  one.of('limit').tell('a');
  one.of('limit').tell('b');
  deliver();
  expect(heard).toEqual(['a', 'b']);
});

it('all listeners of a place hear it, until they have had enough', () => {
  const { one, two, deliver } = twoWorkers();
  const heard: string[] = [];
  const stop = two.of('limit').listen(() => heard.push('first'));
  two.of('limit').listen(() => heard.push('second'));
  one.of('limit').tell(1);
  deliver();
  stop();
  one.of('limit').tell(2);
  deliver();
  expect(heard).toEqual(['first', 'second', 'second']);
});

it('refuses more while the primary takes nothing, whichever filter tells', () => {
  const { one, deliver } = twoWorkers();
  for (let at = 0; at < mostUnderWay; at++) expect(one.of(`filter ${at}`).tell(at)).toBe(true);
  expect(one.of('limit').tell('more')).toBe(false);
  deliver();
  expect(one.of('limit').tell('more')).toBe(true);
});
