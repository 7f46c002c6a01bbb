/** Bytes of one chunk of a page, about. */
const chunkSize = 64 * 1024;

/** Collects text as bytes, so that no page is ever one long string. */
export class Page {
  readonly #chunks: Buffer[] = [];
  #text = '';

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= chunkSize) this.#flush();
  }

  end(): readonly Buffer[] {
    this.#flush();
    return this.#chunks;
  }

  #flush(): void {
    if (this.#text === '') return;
    this.#chunks.push(Buffer.from(this.#text, 'utf8'));
    this.#text = '';
  }
}
