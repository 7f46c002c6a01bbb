import { METHODS } from 'node:http';
import type { Socket } from 'node:net';
import { escape } from '../../src/conformance/case-file.ts';
import type { RecordedRequest, Recorder } from '../../src/conformance/recorder.ts';
import { readWithLlhttp } from './llhttp.ts';

/** What two parsers must agree on: how many messages, and where each begins and ends. */
function comparable(requests: readonly Pick<RecordedRequest, 'method' | 'target' | 'fields' | 'body' | 'complete'>[]) {
  return requests.map(({ method, target, fields, body, complete }) => ({
    method,
    target,
    fields,
    body: escape(body),
    complete,
  }));
}

/** Answers 200, and ends a connection after a method that llhttp does not know: it could not read on. */
export function answerPlainly({ method }: RecordedRequest, socket: Socket, content = 'ok'): void {
  const known = METHODS.includes(method);
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n${known ? '' : 'Connection: close\r\n'}\r\n`;
  socket.write(`${head}${method === 'HEAD' ? '' : content}`, 'latin1');
  if (!known) socket.end();
}

/** Everything that came to a recorder, by connection. */
export class Tapped {
  readonly #connections = new Map<number, { bytes: Buffer[]; requests: RecordedRequest[] }>();

  constructor(recorder: Recorder) {
    recorder.tap = (connection, chunk) => this.#of(connection).bytes.push(chunk);
  }

  /** Adds what the recorder has read, before it forgets. */
  note(requests: readonly RecordedRequest[]): void {
    for (const request of requests) this.#of(request.connection).requests.push(request);
  }

  /** Where llhttp reads something else than the recorder did. */
  async disagreements(): Promise<string[]> {
    const found: string[] = [];
    for (const { bytes, requests } of this.#connections.values()) {
      const stream = Buffer.concat(bytes);
      const reading = await readWithLlhttp(stream);
      const theirs = comparable(reading.requests);
      const ours = comparable(requests);
      // llhttp has a list of methods. The connection ends with one that is not on it: answerPlainly.
      const foreign =
        reading.error?.startsWith('HPE_INVALID_METHOD') === true && !METHODS.includes(ours.at(-1)!.method);
      if (foreign) ours.pop();
      if (reading.error !== undefined && !foreign) found.push(`${reading.error}: ${escape(stream)}`);
      else {
        const at = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => index).find(
          (index) => JSON.stringify(ours[index]) !== JSON.stringify(theirs[index]),
        );
        if (at !== undefined)
          found.push(`request ${at}: ${JSON.stringify(ours[at])} and ${JSON.stringify(theirs[at])}`);
      }
    }
    return found;
  }

  get connections(): number {
    return this.#connections.size;
  }

  #of(connection: number) {
    const known = this.#connections.get(connection) ?? { bytes: [], requests: [] };
    this.#connections.set(connection, known);
    return known;
  }
}
