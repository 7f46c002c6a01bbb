/**
 * Says, as JSON, by how many bytes the old generation of the heap grows while things come and go in tables that live long.
 * Wants `--expose-gc`; with `--max-semi-space-size=4` as in production.
 */
import { getHeapSpaceStatistics } from 'node:v8';
import { VerifiedTokens } from '../../filters/jwt-auth/verified-tokens.ts';
import { UnusedConnections } from '../../src/cluster/unused-connections.ts';
import { StreamTable } from '../../src/listener/http2/stream-table.ts';
import { Members } from '../../src/listener/members.ts';

const rounds = 100_000;
const together = 16;

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size;
}

/** @param change called often, with a number that grows by one */
function growth(change: (round: number) => void): number {
  let round = 0;
  // The tables are old by then.
  for (; round < 2 * together; round++) change(round);
  for (let times = 0; times < 2; times++) globalThis.gc!();
  const before = oldBytes();
  let most = 0;
  for (; round < rounds; round++) {
    change(round);
    if (round % 500 === 0) most = Math.max(most, oldBytes() - before);
  }
  return most;
}

function something(): { readonly content: number[] } {
  return { content: new Array<number>(100).fill(1) };
}

const streams = new StreamTable<object>();
const unused = new UnusedConnections<string, { endpoint: string; idleSince: number }>();
const members = new Members<object>();
const leaving: (() => void)[] = [];
const tokens = new VerifiedTokens(100, 100);
for (const token of ['one', 'other']) tokens.add(token, { claims: {}, headers: [], key: '', from: 0, until: Infinity });
const connections = Array.from({ length: together }, (_, index) => ({ endpoint: `${index % 2}`, idleSince: index }));

console.log(
  JSON.stringify({
    streams: growth((round) => {
      streams.open(2 * round + 1, something());
      streams.close(2 * (round - together) + 1, 'ended');
    }),
    connections: growth((round) => {
      unused.add(connections[round % together]!);
      something();
      unused.remove(connections[round % together]!);
    }),
    members: growth((round) => {
      leaving[round % together]?.();
      leaving[round % together] = members.add(something());
    }),
    tokens: growth(() => {
      something();
      tokens.get('one', 1);
    }),
  }),
);
