import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { observe, type Observed } from '../../../src/conformance/observe.ts';
import type { ExchangeOptions } from '../../../src/conformance/raw-client.ts';
import { Recorder } from '../../../src/conformance/recorder.ts';
import { launchPortico, type Portico } from '../../support/portico.ts';

/** What must come before silence means anything. */
export type Expected = NonNullable<ExchangeOptions['expected']>;

export const answered: Expected = { answers: 1, closed: false };
export const refused: Expected = { answers: 1, closed: true };

interface Lane {
  readonly portico: Portico;
  readonly recorder: Recorder;
}

/** A field that Portico sets with a value that no client can know: a request without it was not written by Portico. */
const markName = 'x-mark';

/**
 * Several Porticos, each with a recorder of its own: what reaches a recorder while a lane has a message is that message's.
 */
export class Lanes {
  readonly #lanes: Lane[];
  readonly #mark: string;
  readonly #quiet: number;

  private constructor(lanes: Lane[], mark: string, quiet: number) {
    this.#lanes = lanes;
    this.#mark = mark;
    this.#quiet = quiet;
  }

  /** @param quiet milliseconds of silence after which nothing more is expected of a message */
  static async open(count: number, quiet = 60): Promise<Lanes> {
    const mark = randomUUID();
    const lanes = await Promise.all(Array.from({ length: count }, () => openLane(mark)));
    return new Lanes(lanes, mark, quiet);
  }

  get recorders(): readonly Recorder[] {
    return this.#lanes.map(({ recorder }) => recorder);
  }

  async close(): Promise<void> {
    for (const { portico, recorder } of this.#lanes) {
      await portico.stop();
      await recorder.stop();
    }
  }

  /** Sends every message on a connection of its own; answers what was seen, in the order of the messages. */
  async observeAll(
    messages: readonly Buffer[],
    expected: (index: number) => Expected | undefined,
    note: (recorder: Recorder, observed: Observed) => void = () => {},
  ): Promise<Observed[]> {
    const results: Observed[] = [];
    let next = 0;
    await Promise.all(
      this.#lanes.map(async ({ portico, recorder }) => {
        for (let at = next++; at < messages.length; at = next++) {
          const wanted = expected(at);
          const options = { quiet: this.#quiet, ...(wanted !== undefined && { expected: wanted }) };
          const seen = await observe(connect(portico.port(), '127.0.0.1'), recorder, [messages[at]!], options);
          await allServed(portico);
          // What came late is this message's, too.
          const all = { ...seen, requests: [...recorder.requests], unreadable: [...recorder.unreadable] };
          results[at] = all;
          note(recorder, all);
        }
      }),
    );
    return results;
  }

  /** What must hold of everything that a recorder is given: readable, and every request written by Portico itself. */
  wrongAtTheApp({ requests, unreadable }: Observed): string | undefined {
    if (unreadable.length > 0) return `unreadable: ${unreadable[0]}`;
    const foreign = requests.find(({ fields }) => {
      const marks = fields.filter(([name]) => name === markName);
      return marks.length !== 1 || marks[0]![1] !== this.#mark;
    });
    return foreign === undefined ? undefined : `not written by Portico: ${foreign.text}`;
  }
}

/** The client is gone; what it began comes to its end, and the app hears nothing more of it. */
async function allServed(portico: Portico): Promise<void> {
  const [listener] = portico.server.listeners;
  for (let tries = 0; listener!.show().active_exchanges > 0; tries++) {
    if (tries > 1000) throw new Error('an exchange goes on without its client');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function openLane(mark: string): Promise<Lane> {
  const recorder = await Recorder.start();
  const portico = await launchPortico(`
listeners: [{ name: http, address: 127.0.0.1:0, via: '' }]
http_filters: [{ name: headers, config: { request: { set: { ${markName}: ${mark} } } } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${recorder.port}'] }]`);
  return { portico, recorder };
}
