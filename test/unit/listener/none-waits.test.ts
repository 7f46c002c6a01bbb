import { describe, expect, it } from 'vitest';
import { noneWaits, shortTurn } from '../../../src/listener/none-waits.ts';

interface Turn {
  /** Milliseconds that it takes. */
  readonly takes: number;
  /** Connections that it accepts. */
  readonly accepts: number;
}

/** Number of turns after which nobody is taken to wait; turns after the last repeat it. */
async function turnsUntilNoneWaits(turns: readonly Turn[], most: number, overAfter = Infinity): Promise<number> {
  let now = 1000;
  let accepted = 0;
  let count = 0;
  await noneWaits(
    {
      accepted: () => accepted,
      now: () => now,
      look: () => {
        const { takes, accepts } = turns[Math.min(count, turns.length - 1)]!;
        now += takes;
        accepted += accepts;
        count++;
        return Promise.resolve();
      },
      over: () => count >= overAfter,
    },
    most,
  );
  return count;
}

const quiet: Turn = { takes: 0.02, accepts: 0 };
const busy: Turn = { takes: 4, accepts: 0 };
const accepting: Turn = { takes: 0.05, accepts: 1 };

describe('nobody waits to be accepted', () => {
  it.each<[string, number, Turn[]]>([
    ['after the first whole turn that was short and accepted nobody', 2, [quiet, quiet]],
    ['not after the turn that had begun before', 3, [quiet, accepting, quiet]],
    ['once the queue has been worked off', 6, [quiet, accepting, accepting, accepting, accepting, quiet]],
    ['not after a turn in which many may have come while others were served', 4, [quiet, busy, busy, quiet]],
  ])('%s', async (_name, expected, turns) => {
    expect(await turnsUntilNoneWaits(turns, 1000)).toBe(expected);
  });

  it('after a turn that is as short as turns are, when all of them are long', async () => {
    // 4 ms are a hundredth of 400 ms.
    expect(await turnsUntilNoneWaits([busy], 1000)).toBe(100);
  });

  it('in any case when the time is up, or nobody needs to know', async () => {
    expect(await turnsUntilNoneWaits([{ takes: 1, accepts: 1 }], 50)).toBe(50);
    expect(await turnsUntilNoneWaits([accepting], 1000, 7)).toBe(7);
  });

  it.each([
    [0, 0.1],
    [10, 0.1],
    [100, 1],
    [1000, 10],
  ])('who has waited for %d ms takes a turn of %d ms', (waited, turn) => {
    expect(shortTurn(waited)).toBe(turn);
  });
});
