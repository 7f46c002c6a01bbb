/** Older ones hide header lines past the 1023rd but frame by them (CVE-2026-58044), and keep broken HTTP/2 sockets open. */
export const oldestNode = '24.18.1';

/**
 * What is wrong with this version of Node.js, as one line; undefined when it will do.
 * @param {string} version
 * @returns {string | undefined}
 */
export function nodeVersionComplaint(version) {
  const have = version
    .replace(/^v/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const need = oldestNode.split('.').map(Number);
  for (const [index, least] of need.entries()) {
    const part = have[index] ?? 0;
    if (part > least) return undefined;
    if (part < least)
      return `portico needs Node.js ${oldestNode} or newer; this is ${version}. Run it by npm, which brings its own: npm start`;
  }
  return undefined;
}
