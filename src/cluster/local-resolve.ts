import { readFile } from 'node:fs/promises';
import type { Resolve, ResolvedAddress } from './discovery.ts';
import { patience, reachesIpv6, resolveWith, systemResolve } from './dns-resolve.ts';
import { addressesInHosts } from './hosts-file.ts';
import { namesToAsk, parseResolvConf, type ResolvConf } from './resolv-conf.ts';

export interface LocalResolveOptions {
  /** Milliseconds; an answer is asked for again after this, or earlier when it says so. */
  readonly refreshRate: number;
  /** Where this machine says how it finds names. */
  readonly hosts?: string;
  readonly resolvConf?: string;
  /** Of name servers. */
  readonly port?: number;
  /** Whom to ask when there are no name servers, or when they do not know a name. */
  readonly system?: Resolve;
}

/** Answers after which a name is asked for in the next domain: what glibc's resolver and c-ares go on after. */
const goOn: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA', 'ESERVFAIL']);
/** Answers that say that there is no such name. */
const unknown: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Looks up names as this machine would, by its hosts file and then by the name servers, domains, `ndots` and `timeout` of
 * its resolv.conf, but without its threads: a name server that hangs holds up nobody else. Both files are read each time, so that
 * changes count. What name servers do not know the system is asked for: it may have other sources (nsswitch.conf(5)).
 */
export function localResolve({
  refreshRate,
  hosts = '/etc/hosts',
  resolvConf = '/etc/resolv.conf',
  port = 53,
  system = systemResolve,
}: LocalResolveOptions): Resolve {
  let known: { readonly text: string; readonly conf: ResolvConf; readonly ask: Resolve } | undefined;
  function read(text: string): NonNullable<typeof known> {
    const conf = parseResolvConf(text);
    const servers = conf.servers.map((server) => (server.includes(':') ? `[${server}]:${port}` : `${server}:${port}`));
    const { timeout = patience.timeout } = conf;
    const waits = { ...patience, timeout, maxTimeout: Math.max(timeout, patience.maxTimeout) };
    return { text, conf, ask: resolveWith(servers, waits) };
  }
  return async (host, family) => {
    const inHosts = addressesInHosts(await textOf(hosts), host).filter((one) =>
      family === 0 ? one.family === 4 || one.address === '::1' || reachesIpv6() : one.family === family,
    );
    if (inHosts.length > 0) return inHosts;
    const text = await textOf(resolvConf);
    if (known?.text !== text) known = read(text);
    const { conf, ask } = known;
    if (conf.servers.length === 0 || isLocal(host)) return system(host, family);
    let failure: NodeJS.ErrnoException | undefined;
    for (const name of namesToAsk(host, conf)) {
      try {
        const answer = await ask(name, family);
        if (answer.length > 0) return answer.map((one) => soon(one, refreshRate));
      } catch (error) {
        const fault = error as NodeJS.ErrnoException;
        if (!goOn.has(fault.code)) throw error;
        if (failure === undefined || unknown.has(failure.code)) failure = fault;
      }
    }
    if (failure !== undefined && !unknown.has(failure.code)) throw failure;
    return system(host, family);
  };
}

/** Of a TTL that is longer than what is configured nobody needs to know. */
function soon({ address, family, ttl = Infinity }: ResolvedAddress, refreshRate: number): ResolvedAddress {
  return ttl * 1000 < refreshRate ? { address, family, ttl } : { address, family };
}

/** RFC 6761 §6.3 */
function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/** Nothing when it cannot be read: then it says nothing. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
