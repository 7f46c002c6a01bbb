import { isIP } from 'node:net';

/** What resolv.conf(5) says. */
export interface ResolvConf {
  /** Addresses of name servers, in order. */
  readonly servers: readonly string[];
  /** Domains to try a name in that is not complete. */
  readonly search: readonly string[];
  /** A name with at least so many dots is tried as it stands first. */
  readonly ndots: number;
  /** Milliseconds until a name server is asked again, if said. */
  readonly timeout: number | undefined;
}

/** MAXNS of glibc. */
const mostServers = 3;
/** glibc knows no limit any more; a request to a name server for each is enough of one. */
const mostDomains = 32;

/** As glibc reads it: the last `search` or `domain` counts, and what cannot be understood does not. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    // Comments begin in the first column; a `#` further on is none for glibc, and no address or domain either.
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    const words = values.slice(
      0,
      indexOrEnd(values, (word) => /^[#;]/.test(word)),
    );
    if (keyword === 'nameserver') {
      const [server = ''] = words;
      // A zone, as in fe80::1%eth0, cannot be told to c-ares.
      if (isIP(server) !== 0 && !server.includes('%') && servers.length < mostServers) servers.push(server);
    } else if (keyword === 'search') search = words;
    else if (keyword === 'domain') search = words.slice(0, 1);
    else if (keyword === 'options') for (const word of words) options.set(...option(word));
  }
  const number = (name: string, least: number, most: number): number | undefined => {
    const value = options.get(name);
    return value !== undefined && /^\d{1,9}$/.test(value) ? Math.min(Math.max(Number(value), least), most) : undefined;
  };
  const timeout = number('timeout', 1, 30);
  return {
    servers,
    search: search
      .map((domain) => domain.replace(/\.$/, ''))
      .filter((domain) => domain !== '')
      .slice(0, mostDomains),
    ndots: number('ndots', 0, 15) ?? 1,
    timeout: timeout === undefined ? undefined : timeout * 1000,
  };
}

function option(word: string): [name: string, value: string] {
  const colon = word.indexOf(':');
  return colon === -1 ? [word, ''] : [word.slice(0, colon), word.slice(colon + 1)];
}

function indexOrEnd<T>(items: readonly T[], is: (item: T) => boolean): number {
  const at = items.findIndex(is);
  return at === -1 ? items.length : at;
}

/**
 * The names to ask for, in order, until one exists: in each domain of the search list and as it stands, which comes first
 * for a name with enough dots. One that ends with a dot is complete.
 */
export function namesToAsk(host: string, { search, ndots }: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const within = search.map((domain) => `${host}.${domain}`).filter((name) => name.length <= longestName);
  return host.split('.').length - 1 >= ndots ? [host, ...within] : [...within, host];
}

/** Octets of a name without the last dot (RFC 1035 §2.3.4). */
const longestName = 253;
