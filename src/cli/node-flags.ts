/** Flags that Portico wants of Node.js; `package.json`, the Dockerfile and the first line of `cli.js` repeat them, and a test compares. */
export const nodeFlags = [
  // MiB of young objects: a third of the memory of V8's own choice, and less CPU, because it stays in the cache.
  '--max-semi-space-size=4',
];
