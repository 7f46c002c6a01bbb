import type { CounterHandle, Stats } from '../stats/index.ts';

/** Why Portico closed a connection on which there was nothing to answer. */
export type ConnectionCut = (typeof cuts)[number];

const cuts = [
  'idle_timeout',
  'request_headers_timeout',
  'stream_flush_timeout',
  'response_too_slow',
  /** It had to make room for another one. */
  'longest_idle',
] as const;

/** Counts connections of a listener that Portico closed by itself: no exchange was there to tell it in the access log. */
export function cutConnections(stats: Stats, listener: string): (reason: ConnectionCut) => void {
  const family = stats.counter(
    'portico_listener_connections_cut_total',
    'Connections closed because of silence, or to make room, with nothing asked on them.',
    ['listener', 'reason'],
  );
  const counters = new Map<ConnectionCut, CounterHandle>(
    cuts.map((reason) => [reason, family.with({ listener, reason })]),
  );
  return (reason) => counters.get(reason)!.add();
}
