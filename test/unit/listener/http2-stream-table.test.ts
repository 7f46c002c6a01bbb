import { expect, it } from 'vitest';
import { StreamTable } from '../../../src/listener/http2/stream-table.ts';

function table(): StreamTable<string> {
  const streams = new StreamTable<string>();
  for (const id of [1, 3, 5, 9]) streams.open(id, `stream ${id}`);
  streams.close(1, 'ended');
  streams.close(3, 'reset by client');
  streams.close(5, 'reset by us');
  streams.skip(11);
  return streams;
}

it.each([
  [1, 'ended'],
  [3, 'reset by client'],
  [5, 'reset by us'],
  [7, 'unknown'],
  [11, 'reset by us'],
  [13, 'idle'],
  [2, 'idle'],
])('stream %d is %s', (id, past) => {
  expect(table().past(id)).toBe(past);
});

it('an open stream is found until it is closed, once', () => {
  const streams = table();
  expect([streams.get(9), streams.size, streams.last]).toEqual(['stream 9', 1, 11]);
  expect([streams.close(9, 'ended'), streams.close(9, 'ended'), streams.get(9)]).toEqual([true, false, undefined]);
});

it('streams are found, listed and closed in whatever order', () => {
  const streams = new StreamTable<number>();
  const open = Array.from({ length: 100 }, (_, index) => 2 * index + 1);
  for (const id of open) streams.open(id, id);
  for (let n = 0; n < 100; n++) {
    const [id] = open.splice((n * 37) % open.length, 1);
    expect([streams.get(id!), streams.close(id!, 'ended'), streams.get(id!)]).toEqual([id, true, undefined]);
    expect([streams.size, streams.live()]).toEqual([open.length, open]);
  }
});

it('streams may be closed while they are looked at', () => {
  const streams = new StreamTable<number>();
  for (const id of [1, 3, 5]) streams.open(id, id);
  const seen: number[] = [];
  for (const id of streams.live()) {
    seen.push(id);
    streams.close(id, 'reset by us');
  }
  expect([seen, streams.size]).toEqual([[1, 3, 5], 0]);
});

it('so many streams and no more are remembered when they are over', () => {
  const streams = new StreamTable<string>();
  for (let id = 1; id < 2001; id += 2) {
    streams.open(id, '');
    streams.close(id, 'ended');
  }
  expect([streams.past(1999), streams.past(2001 - 512), streams.past(2001 - 514)]).toEqual([
    'ended',
    'ended',
    'unknown',
  ]);
});
