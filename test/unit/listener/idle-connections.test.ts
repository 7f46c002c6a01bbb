import { describe, expect, it } from 'vitest';
import { IdleConnections, type Closable } from '../../../src/listener/idle-connections.ts';

function world(...since: (number | undefined)[]) {
  const closed: number[] = [];
  let searches = 0;
  const all = since.map((idleSince, index): Closable & { idleSince: number | undefined } => ({
    idleSince,
    close() {
      closed.push(index);
      this.idleSince = undefined;
    },
  }));
  const idle = new IdleConnections(() => {
    searches++;
    return all;
  });
  return { idle, all, closed, searches: () => searches };
}

describe('making room', () => {
  it('closes the longest idle connections first, and none that are in use', () => {
    const { idle, closed, searches } = world(30, undefined, 10, 20);
    expect([0, 0, 0, 0].map((now) => idle.closeLongestIdle(now))).toEqual([true, true, true, false]);
    expect(closed).toEqual([2, 3, 0]);
    expect(searches()).toBe(2);
  });

  it('leaves a connection that was used since the search', () => {
    const { idle, all, closed } = world(10, 20, 30);
    idle.closeLongestIdle(0);
    all[1]!.idleSince = 40;
    idle.closeLongestIdle(0);
    expect(closed).toEqual([0, 2]);
  });

  it('searches seldom while nobody is idle', () => {
    const { idle, searches } = world(undefined);
    for (let now = 0; now < 1000; now++) idle.closeLongestIdle(now);
    expect(searches()).toBe(10);
  });
});
