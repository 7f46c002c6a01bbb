import { expect, test } from 'vitest';
import { Ledger } from '../../../src/logs/ledger.ts';
import { Random } from '../../support/random.ts';

test('moves over acknowledged records that have nothing unacknowledged before them', () => {
  const ledger = new Ledger(100);
  for (const end of [110, 120, 130]) ledger.add(end, end);
  ledger.acknowledge(130);
  ledger.acknowledge(120);
  expect(ledger.acknowledged).toBe(100);
  ledger.acknowledge(110);
  expect(ledger.acknowledged).toBe(130);
  expect(ledger.underWay).toBe(0);
});

test('what is dropped counts when all before it is acknowledged', () => {
  const ledger = new Ledger(0);
  ledger.skip(10);
  expect(ledger.acknowledged).toBe(10);
  ledger.add(20, 20);
  ledger.skip(30);
  expect(ledger.acknowledged).toBe(10);
  ledger.acknowledge(20);
  expect(ledger.acknowledged).toBe(30);
});

test('does not move over the beginning of what still waits for its end', () => {
  const ledger = new Ledger(0);
  ledger.add(150, 0);
  ledger.acknowledge(150);
  expect(ledger.acknowledged).toBe(0);
  ledger.add(200, 200);
  ledger.acknowledge(200);
  expect(ledger.acknowledged).toBe(200);
});

test('forgets what is taken back, and late acknowledgements of it', () => {
  const ledger = new Ledger(0);
  ledger.add(10, 10);
  ledger.add(20, 20);
  ledger.acknowledge(20);
  ledger.takeBack();
  ledger.acknowledge(10);
  expect(ledger.acknowledged).toBe(0);
  ledger.add(10, 10);
  ledger.acknowledge(10);
  expect(ledger.acknowledged).toBe(10);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])('agrees with a simple model, however acknowledgements come (%i)', (seed) => {
  const random = new Random(seed);
  const ledger = new Ledger(0);
  const model: { end: number; done: boolean }[] = [];
  let end = 0;
  let acknowledged = 0;
  for (let step = 0; step < 5000; step++) {
    const open = model.filter(({ done }) => !done);
    if (random.below(2) === 0 || open.length === 0) {
      end += 1 + random.below(50);
      model.push({ end, done: false });
      ledger.add(end, end);
    } else {
      const one = random.below(4) === 0 ? random.pick(open) : open[0]!;
      one.done = true;
      ledger.acknowledge(one.end);
    }
    while (model[0]?.done === true) acknowledged = model.shift()!.end;
    expect(ledger.acknowledged).toBe(acknowledged);
    expect(ledger.underWay).toBe(model.length);
  }
});
