import { isIP } from 'node:net';
import type { ResolvedAddress } from './discovery.ts';

/** What hosts(5) knows of a name: all its addresses, in order; case does not count, nor does a dot at the end. */
export function addressesInHosts(text: string, host: string): ResolvedAddress[] {
  const wanted = host.toLowerCase().replace(/\.$/, '');
  const found = new Map<string, ResolvedAddress>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/s, '').trim().split(/\s+/);
    const family = isIP(address);
    if (family === 0 || !names.some((name) => name.toLowerCase() === wanted)) continue;
    found.set(address, { address, family: family === 6 ? 6 : 4 });
  }
  return [...found.values()];
}
