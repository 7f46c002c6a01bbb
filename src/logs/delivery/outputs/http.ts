import { createHash } from 'node:crypto';
import { documentOf } from '../document.ts';
import { delivered } from '../outcome.ts';
import type { HttpFormat } from './http-output.ts';

/** JSON lines to any URL. `idempotency-key` is the same for the same batch, so that a receiver can tell a repeat. */
export function http(): HttpFormat {
  return {
    path: '',
    query: '',
    headers: { 'content-type': 'application/x-ndjson' },
    headersOf: ({ body }) => ({ 'idempotency-key': createHash('sha256').update(body).digest('base64url') }),
    encode(records) {
      let body = '';
      for (const record of records) body += `${documentOf(record)}\n`;
      return Buffer.from(body);
    },
    judge: () => delivered,
  };
}
