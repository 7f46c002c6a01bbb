import { ExpositionFault, LineFault } from './fault.ts';

/** Counts what is wrong with an exposition, or ends with the first fault. */
export class FaultLog {
  readonly #policy: 'drop' | 'refuse';
  #count = 0;
  #first: ExpositionFault | undefined;

  constructor(policy: 'drop' | 'refuse') {
    this.#policy = policy;
  }

  get count(): number {
    return this.#count;
  }

  get first(): ExpositionFault | undefined {
    return this.#first;
  }

  /** @throws ExpositionFault when faults are not borne */
  add(line: number, reason: string): void {
    const fault = new ExpositionFault(line, reason);
    if (this.#policy === 'refuse') throw fault;
    this.#count++;
    this.#first ??= fault;
  }

  /** Takes what reading a line threw; passes on what is no fault of the line. */
  caught(line: number, error: unknown): void {
    if (!(error instanceof LineFault)) throw error;
    this.add(line, error.message);
  }
}
