import type { FileOutputConfig } from '../config.ts';
import { delivered, type Output } from '../outcome.ts';
import { RotatingFile } from '../rotating-file.ts';
import { prepareLines } from './lines.ts';

/** JSON lines in a file, synced before they count as delivered. */
export function fileOutput({ path, max_bytes: maxBytes, keep }: FileOutputConfig): Output {
  const file = new RotatingFile({ path, maxBytes, keep });
  let last: Promise<void> = Promise.resolve();
  return {
    kind: 'file',
    prepare: prepareLines,
    async send({ body }, signal) {
      signal.throwIfAborted();
      const written = last.then(() => file.append(body));
      last = written.catch(() => {});
      try {
        await written;
        return delivered;
      } catch (error) {
        return { kind: 'retry', cause: 'unreachable', reason: (error as Error).message };
      }
    },
    show: () => ({ kind: 'file', targets: [{ url: path, skipped: false }] }),
    async close() {
      await last;
      await file.close();
    },
  };
}
