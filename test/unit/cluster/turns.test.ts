import { expect, it } from 'vitest';
import { Turns } from '../../../src/cluster/turns.ts';

it('so many run at a time, in order, whether those before them fail or not', async () => {
  const turns = new Turns(2);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3].map((number) =>
    turns
      .take(async () => {
        began.push(number);
        await new Promise<void>((resolve) => (ends[number] = resolve));
        if (number === 0) throw new Error('fails');
        return number;
      })
      .catch((error: Error) => error.message),
  );
  await new Promise(setImmediate);
  expect(began).toEqual([0, 1]);
  ends[0]!();
  await new Promise(setImmediate);
  expect(began).toEqual([0, 1, 2]);
  ends[1]!();
  await new Promise(setImmediate);
  expect(began).toEqual([0, 1, 2, 3]);
  ends[2]!();
  ends[3]!();
  expect(await Promise.all(all)).toEqual(['fails', 1, 2, 3]);
});
