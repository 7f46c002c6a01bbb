import { ExpositionFault, LineFault } from './fault.ts';

/** Counts what is wrong with the lines of an exposition, or ends with the first fault. */
export class FaultLog {
  readonly #policy: 'drop' | 'refuse';
  #line = 0;
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

  /** The line that is being read, from 1; 0 before the first. */
  get line(): number {
    return this.#line;
  }

  nextLine(): void {
    this.#line++;
  }

  /** @throws ExpositionFault when faults are not borne */
  add(reason: string, line = this.#line): void {
    const fault = new ExpositionFault(line, reason);
    if (this.#policy === 'refuse') throw fault;
    this.#count++;
    this.#first ??= fault;
  }

  /** Takes what reading a line threw; passes on what is no fault of the line. */
  caught(error: unknown): void {
    if (!(error instanceof LineFault)) throw error;
    this.add(error.message);
  }
}
