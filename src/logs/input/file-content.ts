import { FileSource } from './file-source.ts';
import { fingerprintOf, sourceKey, type FileNode, type Fingerprint } from './identity.ts';

/** What is in a file, known by its first bytes; after a truncation it is other content. */
export class FileContent {
  #head: Buffer;
  /** How many other files the inode has been, and how often it began anew, as far as is known. */
  #generation: number;
  #source: FileSource | undefined;
  /** Of the head that it was made of. */
  #fingerprint: { readonly head: Buffer; readonly fingerprint: Fingerprint } | undefined;

  /** @param source by which its records go already */
  constructor(head: Buffer, generation: number, source: FileSource | undefined) {
    this.#head = head;
    this.#generation = generation;
    this.#source = source;
  }

  /** First bytes of the file. */
  get head(): Buffer {
    return this.#head;
  }

  get generation(): number {
    return this.#generation;
  }

  /** undefined as long as no record was made of it. */
  get source(): FileSource | undefined {
    return this.#source;
  }

  /** Made when the first record is: by then its first line is known, which names it. */
  name(node: FileNode, input: string, path: string): FileSource {
    this.#source ??= new FileSource(sourceKey(node, this.#head, this.#generation), input, path);
    return this.#source;
  }

  get fingerprint(): Fingerprint {
    if (this.#fingerprint?.head !== this.#head)
      this.#fingerprint = { head: this.#head, fingerprint: fingerprintOf(this.#head) };
    return this.#fingerprint.fingerprint;
  }

  /** @param head first bytes as they are by now, which begin with those that are known */
  grew(head: Buffer): void {
    if (head.length !== this.#head.length) this.#head = head;
  }

  beginAnew(): void {
    this.#generation++;
    this.#source = undefined;
    this.#head = Buffer.alloc(0);
  }
}
