/**
 * node:http, not imported: an import reads each of a module's exports, and reading `WebSocket` of this one loads the undici that
 * Node.js carries, 16 MB.
 */
export const http = process.getBuiltinModule('node:http');
