/** One thing that cannot be done, at a place of the manifest. */
export interface InjectFault {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** What is wrong and what to do instead. */
  readonly message: string;
}

/** The manifest cannot be used; every fault is told at once. */
export class InjectError extends Error {
  override readonly name = 'InjectError';
  readonly faults: readonly InjectFault[];

  constructor(faults: readonly InjectFault[]) {
    super(faults.map(({ line, column, message }) => `${line}:${column} ${message}`).join('\n'));
    this.faults = faults;
  }
}
