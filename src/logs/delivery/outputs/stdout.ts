import type { Writable } from 'node:stream';
import { delivered, type Output } from '../outcome.ts';
import { prepareLines } from './lines.ts';

/** JSON lines on a stream, standard output unless a test says otherwise; delivered once the system has taken them. */
export function stdoutOutput(stream: Writable = process.stdout): Output {
  const ignore = () => {};
  // The callback of each write tells the same, and a stream that nobody listens to ends the process.
  stream.on('error', ignore);
  return {
    kind: 'stdout',
    prepare: prepareLines,
    send({ body }, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const abort = () => reject(signal.reason as Error);
        signal.addEventListener('abort', abort, { once: true });
        stream.write(body, (error) => {
          signal.removeEventListener('abort', abort);
          if (error) resolve({ kind: 'retry', cause: 'unreachable', reason: error.message });
          else resolve(delivered);
        });
      });
    },
    show: () => ({ kind: 'stdout', targets: [] }),
    async close() {
      stream.off('error', ignore);
    },
  };
}
