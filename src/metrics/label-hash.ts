/**
 * A number of 53 bits for a name with labels, the same in whatever order the labels stand; empty values do not count. Two that
 * differ may have the same number, so whoever must be sure compares them as well.
 */
export function labelHash(name: string, labels: readonly string[], without: (label: string) => boolean): number {
  let low = stir(addText(0x811c9dc5, name));
  let high = stir(addText(0x01000193, name));
  for (let at = 0; at < labels.length; at += 2) {
    const label = labels[at]!;
    const value = labels[at + 1]!;
    if (value === '' || without(label)) continue;
    // Adding makes the order no matter; the value's hash begins with the label's, so that pairs do not come apart.
    low = (low + stir(addText(stir(addText(0x2c1b3c6d, label)), value))) | 0;
    high = (high + stir(addText(stir(addText(0x297a2d39, label)), value))) | 0;
  }
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}

/** FNV-1a over UTF-16 units. */
function addText(seed: number, text: string): number {
  let hash = seed;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

/** MurmurHash3's `fmix32`, without which sums of hashes would collide often. */
function stir(seed: number): number {
  let hash = seed ^ (seed >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
