import { expect, test } from 'vitest';
import { Members } from '../../../src/listener/members.ts';

test('members are there from when they are added until they leave, whichever leaves first', () => {
  const members = new Members<number>();
  const leave = new Map(Array.from({ length: 50 }, (_, n) => [n, members.add(n)] as const));
  for (let n = 0; n < 50; n++) {
    const [next] = [...leave.keys()].slice((n * 7) % leave.size);
    leave.get(next!)!();
    leave.delete(next!);
    expect([members.size, [...members].sort((a, b) => a - b)]).toEqual([leave.size, [...leave.keys()]]);
  }
});

test('one that leaves twice takes nobody else along', () => {
  const members = new Members<string>();
  const leave = members.add('first');
  members.add('second');
  leave();
  leave();
  expect([...members]).toEqual(['second']);
});

test('members may come and leave while they are gone through', () => {
  const members = new Members<string>();
  const leave = ['a', 'b', 'c'].map((one) => members.add(one));
  const seen: string[] = [];
  for (const one of members) {
    seen.push(one);
    for (const away of leave) away();
    members.add(`${one} again`);
  }
  expect([seen, [...members]]).toEqual([
    ['a', 'b', 'c'],
    ['a again', 'b again', 'c again'],
  ]);
});
