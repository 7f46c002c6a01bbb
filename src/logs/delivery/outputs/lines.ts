import { documentOf } from '../document.ts';
import type { Prepared } from '../outcome.ts';
import type { LogRecord } from '../../record.ts';

/** Records as JSON lines, for outputs that take bytes as they are. */
export async function prepareLines(records: readonly LogRecord[]): Promise<Prepared> {
  let text = '';
  for (const record of records) text += `${documentOf(record)}\n`;
  const body = Buffer.from(text);
  return { records, body, raw: body.byteLength, compressed: false };
}
