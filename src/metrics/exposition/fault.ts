/** Something in an exposition that cannot be taken: one line, or what the whole of it says. */
export class ExpositionFault extends Error {
  override readonly name = 'ExpositionFault';
  /** From 1; 0 when no line is to blame. */
  readonly line: number;
  readonly reason: string;

  constructor(line: number, reason: string) {
    super(line === 0 ? reason : `line ${line}: ${reason}`);
    this.line = line;
    this.reason = reason;
  }
}

/** What a line does wrong, thrown where it is found and given its line number by whoever reads lines. */
export class LineFault extends Error {
  override readonly name = 'LineFault';
}

/** The text as a message may show it: at most 60 characters, quoted. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
