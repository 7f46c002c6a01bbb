import dns from 'node:dns';
import { networkInterfaces } from 'node:os';
import type { Resolve, ResolvedAddress } from './discovery.ts';
import { Turns } from './turns.ts';

/** The system's lookups may take long, each in one of the four threads in which files are read too. */
const lookups = new Turns(2);

/** Asks the system, for two names at a time. Names other than localhost get no IPv6 addresses on a machine that has none itself. */
export const systemResolve: Resolve = async (host, family) => {
  const local = host === 'localhost' || host.endsWith('.localhost');
  const answer = await lookups.take(() =>
    dns.promises.lookup(host, { all: true, family, hints: local ? 0 : dns.ADDRCONFIG, order: 'verbatim' }),
  );
  return answer.map((one) => ({ address: one.address, family: one.family === 6 ? 6 : 4 }));
};

/**
 * Milliseconds until a name server is asked again, and how often. c-ares waits less where answers have come fast, from 250
 * ms on, and twice as long each time: so it takes six times until one that has become slow has its five seconds.
 */
export const patience = { timeout: 3000, maxTimeout: 8000, tries: 6 };

/**
 * Asks name servers itself. Unlike the system this knows for how long an answer is good, and takes none of the few
 * threads in which the system's lookups wait for each other.
 * @param servers `address` or `address:port`, asked in this order until one answers
 * @param waits milliseconds until one is asked again, at first and at most, and how often
 */
export function resolveWith(servers: readonly string[], waits: typeof patience = patience): Resolve {
  /** One for each name: how fast some are answered must not shorten the wait for others. */
  const resolvers = new Map<string, dns.promises.Resolver>();
  function resolverOf(host: string): dns.promises.Resolver {
    let resolver = resolvers.get(host);
    if (resolver === undefined) {
      resolver = new dns.promises.Resolver(waits);
      resolver.setServers(servers);
      resolvers.set(host, resolver);
    }
    return resolver;
  }
  return async (host, family) => {
    // RFC 6761 §6.3: never a matter for name servers.
    if (host === 'localhost' || host.endsWith('.localhost')) return systemResolve(host, family);
    const resolver = resolverOf(host);
    const wanted: readonly (4 | 6)[] = family !== 0 ? [family] : reachesIpv6() ? [4, 6] : [4];
    const asked = await Promise.allSettled(
      wanted.map((one) =>
        one === 4 ? resolver.resolve4(host, { ttl: true }) : resolver.resolve6(host, { ttl: true }),
      ),
    );
    const found = asked.flatMap((answer, at): ResolvedAddress[] =>
      answer.status === 'rejected' ? [] : answer.value.map((one) => ({ ...one, family: wanted[at]! })),
    );
    const failed = asked.find((answer) => answer.status === 'rejected');
    if (found.length === 0 && failed !== undefined) throw failed.reason;
    return found;
  };
}

/** As `getaddrinfo` with AI_ADDRCONFIG sees it (RFC 3493 §6.1): addresses that this machine cannot reach are none. */
export function reachesIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80:')),
  );
}
