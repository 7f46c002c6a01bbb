import type * as NodeHttp from 'node:http';

/**
 * `node:http`, for whoever serves or asks in a process that is to stay small. An `import` of it reads all its exports, and for
 * `WebSocket` and its like among them Node.js loads undici: 16 MB that nobody uses.
 */
export const http: typeof NodeHttp = process.getBuiltinModule('node:http');
