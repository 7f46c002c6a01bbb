/** What a store answers with. It may repeat our credentials, so text of it goes nowhere without {@link redact}. */
export class AnswerBody {
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
  readonly #redact: (text: string) => string;

  constructor(bytes: Buffer, contentType: string | undefined, redact: (text: string) => string) {
    this.bytes = bytes;
    this.contentType = contentType;
    this.#redact = redact;
  }

  /** The whole of it, without our credentials. */
  text(): string {
    return this.#redact(this.bytes.toString());
  }

  /** A part of it, without our credentials. */
  redact(text: string): string {
    return this.#redact(text);
  }
}
