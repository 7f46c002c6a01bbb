import { BlockList, isIP } from 'node:net';
import { showAddress, type Address } from '../options/index.ts';
import type { ClusterConfig } from './config.ts';
import type { Found } from './endpoint.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** Seconds for which the answer is good, if that is known (RFC 1035 §3.2.1). */
  readonly ttl?: number;
}

/** All addresses of a host name. @throws when there is none */
export type Resolve = (host: string, family: 0 | 4 | 6) => Promise<readonly ResolvedAddress[]>;

export interface DiscoveryOptions {
  readonly endpoints: ClusterConfig['endpoints'];
  readonly dns: ClusterConfig['dns'];
  readonly resolve: Resolve;
  /** Told the whole list whenever it has changed. */
  onChange(found: readonly Found[]): void;
  /** Told when a name cannot be resolved, and when it can be again; not at every repetition. */
  onHealth(host: string, error: Error | undefined): void;
}

const families = { auto: 0, ipv4: 4, ipv6: 6 } as const;

interface Entry {
  readonly address: Extract<Address, { kind: 'tcp' }>;
  readonly weight: number;
  /** The last good answer; empty until there is one. */
  found: readonly Found[];
  failing: boolean;
}

/** Knows where the endpoints are: addresses as they stand, host names by asking again and again (Envoy: STRICT_DNS). */
export class Discovery {
  readonly #options: DiscoveryOptions;
  /** In the order of the configuration. */
  readonly #parts: (Found | Entry)[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  #known = '';

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#parts = options.endpoints.map(({ address, weight }) =>
      address.kind === 'tcp' && isIP(address.host) === 0
        ? { address, weight, found: [], failing: false }
        : standing(address, weight),
    );
    this.#publish();
  }

  /** Some name has not been resolved yet. */
  get incomplete(): boolean {
    return this.#entries().some((entry) => entry.found.length === 0);
  }

  /** Resolves when every name has been asked for once, whatever the answer. */
  async start(): Promise<void> {
    const entries = this.#entries();
    if (!this.#stopped) await Promise.all(entries.map((entry) => this.#refresh(entry)));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #entries(): Entry[] {
    return this.#parts.filter((part) => 'found' in part);
  }

  /** Each name by itself: one that takes long to resolve holds up no other. */
  async #refresh(entry: Entry): Promise<void> {
    const wait = nextAsk(await this.#ask(entry), this.#options.dns.refresh_rate);
    if (this.#stopped) return;
    this.#publish();
    // After the answer, not at fixed times: a slow name server is not asked twice at once.
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#refresh(entry);
    }, wait);
    this.#timers.add(timer.unref());
  }

  /** Answers what was found; nothing when it failed. */
  async #ask(entry: Entry): Promise<readonly ResolvedAddress[]> {
    const { host, port } = entry.address;
    let answer: readonly ResolvedAddress[] = [];
    let error: Error | undefined;
    try {
      answer = await this.#options.resolve(host, families[this.#options.dns.family]);
      if (answer.length === 0) throw new Error('no address');
      entry.found = found(host, port, answer, entry.weight);
    } catch (cause) {
      error = cause instanceof Error ? cause : new Error(String(cause));
    }
    if (!this.#stopped && entry.failing !== (error !== undefined)) this.#options.onHealth(host, error);
    entry.failing = error !== undefined;
    return answer;
  }

  #publish(): void {
    const byAddress = new Map<string, Found>();
    for (const one of this.#parts.flatMap((part) => ('found' in part ? part.found : [part]))) {
      if (!byAddress.has(one.address)) byAddress.set(one.address, one);
    }
    const all = [...byAddress.values()];
    const known = JSON.stringify(all);
    if (known === this.#known) return;
    this.#known = known;
    this.#options.onChange(all);
  }
}

/** Bounds of what a name server may ask for, in milliseconds: 0 would keep it busy, a day would make us miss a change. */
const soonest = 1000;
const latest = 300_000;

/** Milliseconds until a name is asked for again: as long as the answer is good, else as configured. */
export function nextAsk(answer: readonly ResolvedAddress[], refreshRate: number): number {
  const ttl = answer.reduce((least, one) => Math.min(least, one.ttl ?? Infinity), Infinity);
  return ttl === Infinity ? refreshRate : Math.min(Math.max(ttl * 1000, soonest), latest);
}

function standing(address: Address, weight: number): Found {
  if (address.kind === 'unix') return { address: showAddress(address), target: address, weight };
  const { host, port } = address;
  const family = isIP(host) === 6 ? 6 : 4;
  return {
    address: showAddress(address),
    target: { kind: 'tcp', host, port, addresses: [{ address: host, family }] },
    weight,
  };
}

/**
 * Every address is an endpoint. Only a name that stands for this machine is one endpoint with several addresses to try,
 * because `localhost` is often both ::1 and 127.0.0.1 while the app listens on one of them.
 */
function found(host: string, port: number, answer: readonly ResolvedAddress[], weight: number): Found[] {
  if (
    answer.length > 1 &&
    answer.every(({ address, family }) => loopback.check(address, family === 4 ? 'ipv4' : 'ipv6'))
  ) {
    return [{ address: `${host}:${port}`, target: { kind: 'tcp', host, port, addresses: answer }, weight }];
  }
  // In a fixed order: name servers shuffle, and that is no news.
  const sorted = [...answer].sort((a, b) => (a.address < b.address ? -1 : 1));
  return sorted.map((one) => ({
    address: showAddress({ kind: 'tcp', host: one.address, port }),
    target: { kind: 'tcp', host, port, addresses: [one] },
    weight,
  }));
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
