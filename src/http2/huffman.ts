/**
 * RFC 7541 appendix B: bits of the code of every byte, and of the end of the string. The codes themselves follow from it:
 * they count upwards, the shorter before the longer, the smaller byte before the larger.
 */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const endOfString = 256;

/** A leaf of the tree says its byte, or the end; branches say where 0 and 1 lead. */
type Node = { readonly byte: number } | Branch;
type Branch = [zero: Node | undefined, one: Node | undefined];

/** In a step: a byte is complete; the code ran into the end of the string, which must not be there. */
const emits = 1 << 17;
const fails = 1 << 16;

/**
 * What four further bits do, by `16 * state + bits`: the next state, and above it the byte that they complete. A state is
 * a node of the tree that is no leaf; 0 is the root.
 */
const steps = new Int32Array(256 * 16);
/** States in which a string may end: at most seven bits behind the last byte, all of them 1 (RFC 7541 §5.2). */
const isEnd = new Uint8Array(256);
makeTables();

/** Room for what is decoded; a string does not grow by more than 8 to 5. */
let scratch = Buffer.allocUnsafeSlow(4096);

/** The bytes from `start` to `end` as text, one code unit a byte; undefined when they are no such string. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const most = Math.ceil(((end - start) * 8) / 5);
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most);
  const to = scratch;
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    let step = steps[(state << 4) | (byte >> 4)]!;
    if ((step & emits) !== 0) to[length++] = step >>> 18;
    const first = step;
    step = steps[((step & 0xff) << 4) | (byte & 15)]!;
    if (((first | step) & fails) !== 0) return undefined;
    if ((step & emits) !== 0) to[length++] = step >>> 18;
    state = step & 0xff;
  }
  return isEnd[state] === 1 ? to.toString('latin1', 0, length) : undefined;
}

function makeTables(): void {
  const states = statesOf(makeTree());
  const numbers = new Map(states.map((branch, number) => [branch, number] as const));
  const root = states[0]!;
  for (const [number, from] of states.entries()) {
    for (let bits = 0; bits < 16; bits++) {
      let branch = from;
      let effect = 0;
      for (let bit = 3; bit >= 0; bit--) {
        // Every path leads to a leaf: the code is complete.
        const node = branch[(bits >> bit) & 1]!;
        branch = 'byte' in node ? root : node;
        if (!('byte' in node)) continue;
        if (node.byte === endOfString) effect |= fails;
        else effect = (effect & fails) | emits | (node.byte << 18);
      }
      steps[(number << 4) | bits] = effect | numbers.get(branch)!;
    }
  }
  let branch = root;
  for (let depth = 0; depth <= 7; depth++) {
    isEnd[numbers.get(branch)!] = 1;
    branch = branch[1] as Branch;
  }
}

function makeTree(): Branch {
  const root: Branch = [undefined, undefined];
  const order = lengths.map((_, byte) => byte).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  let code = 0;
  let bits = 0;
  for (const byte of order) {
    code <<= lengths[byte]! - bits;
    bits = lengths[byte]!;
    let branch = root;
    for (let bit = bits - 1; bit > 0; bit--) branch = (branch[(code >> bit) & 1] ??= [undefined, undefined]) as Branch;
    branch[code & 1] = { byte };
    code++;
  }
  return root;
}

/** All branches, the root first. */
function statesOf(root: Branch): Branch[] {
  const states = [root];
  for (const branch of states) {
    for (const child of branch) if (child !== undefined && !('byte' in child)) states.push(child);
  }
  return states;
}
