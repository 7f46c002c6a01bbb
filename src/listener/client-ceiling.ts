import { isIPv6 } from 'node:net';

/** Counts the connections of each client, so that none can have them all. */
export class ClientCeiling {
  readonly #most: number;
  readonly #connections = new Map<string, number>();

  /** @param most connections of one client; 0 is no limit, and then nothing is counted */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param client as {@link clientOf} names it */
  reached(client: string): boolean {
    return this.#most > 0 && (this.#connections.get(client) ?? 0) >= this.#most;
  }

  opened(client: string): void {
    if (this.#most > 0) this.#connections.set(client, (this.#connections.get(client) ?? 0) + 1);
  }

  closed(client: string): void {
    const open = this.#connections.get(client);
    if (open === undefined) return;
    if (open > 1) this.#connections.set(client, open - 1);
    else this.#connections.delete(client);
  }
}

/**
 * Who a peer address belongs to: an IPv4 address is one client, and so is an IPv6 /64, the least that a host is given
 * (RFC 4291 §2.5.4, RFC 6177).
 */
export function clientOf(address: string): string {
  if (!address.includes(':')) return address;
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  const bare = address.split('%', 1)[0]!;
  if (!isIPv6(bare)) return address;
  const [left = '', right] = bare.split('::');
  const head = groupsOf(left);
  const tail = right === undefined ? [] : groupsOf(right);
  const whole = [...head, ...Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0'), ...tail];
  return whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** Only the number of groups matters behind the fourth; an IPv4 tail stands for two. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
