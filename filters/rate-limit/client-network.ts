import { isIPv6 } from 'node:net';

/**
 * The network that a client is limited by: an IPv4 address itself, an IPv6 address without the bits behind the prefix,
 * since one host has a whole /64 to choose from (RFC 4291 §2.5.4). Anything else (`unix`) stays as it is.
 * @param prefix bits, 1 to 128
 */
export function clientNetwork(address: string, prefix: number): string {
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  if (!isIPv6(bare)) return address;
  const groups = groupsOf(bare);
  if (isMappedIpv4(groups)) {
    const [high, low] = [groups[6]!, groups[7]!];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  let network = '';
  for (let group = 0, bits = prefix; bits > 0; group++, bits -= 16) {
    const masked = bits >= 16 ? groups[group]! : groups[group]! & (0xffff << (16 - bits));
    network += masked.toString(16) + ':';
  }
  return `${network}/${prefix}`;
}

/** The eight groups of an address that is known to be one. */
function groupsOf(address: string): number[] {
  const [left = '', right] = address.split('::');
  const head = parse(left);
  if (right === undefined) return head;
  const tail = parse(right);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function parse(text: string): number[] {
  const groups: number[] = [];
  if (text === '') return groups;
  for (const part of text.split(':')) {
    if (part.includes('.')) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
      groups.push((a << 8) | b, (c << 8) | d);
    } else {
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

function isMappedIpv4(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}
