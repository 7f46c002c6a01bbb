/**
 * Field lines of a message, in the order, the case and the number in which they were received
 * (RFC 9110 §5.3: the order of lines of one name is meaning; unknown fields are forwarded as they are).
 */

/** RFC 9110 §5.6.2: the characters of a field name or a method. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: visible characters, spaces, tabs and obs-text (0x80 to 0xff, one code unit a byte). */

const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

export function isFieldValue(text: string): boolean {
  return fieldValue.test(text);
}

/** Stands for lines that are put in a moment later, so that no list is made for nothing. */
const givenLater: string[] = [];

export class Headers implements Iterable<[name: string, value: string]> {
  #flat: string[];

  /** Copies name, value, name, value …. @throws TypeError on a bad name or value */
  constructor(flat: readonly string[] = []) {
    if (flat === givenLater) {
      this.#flat = givenLater;
      return;
    }
    this.#flat = flat.slice();
    for (let at = 0; at < flat.length; at += 2) check(flat[at]!, flat[at + 1]!);
  }

  /** Takes what a codec has parsed, and so checked: nothing is checked again. The array belongs to the new object. */
  static parsed(flat: string[]): Headers {
    const headers = new Headers(givenLater);
    headers.#flat = flat;
    return headers;
  }

  /** For tests and local replies: every name and value is checked. */
  static of(fields: Record<string, string | readonly string[]>): Headers {
    const headers = new Headers();
    for (const [name, value] of Object.entries(fields)) {
      for (const one of typeof value === 'string' ? [value] : value) headers.append(name, one);
    }
    return headers;
  }

  /** Number of field lines. */
  get size(): number {
    return this.#flat.length / 2;
  }

  has(name: string): boolean {
    return this.#find(name.toLowerCase(), 0) >= 0;
  }

  /** All lines of the name joined with ", " (RFC 9110 §5.3), or undefined. Use {@link getAll} where lines differ from lists. */
  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    let at = this.#find(lower, 0);
    if (at < 0) return undefined;
    let value = this.#flat[at + 1]!;
    while ((at = this.#find(lower, at + 2)) >= 0) value += ', ' + this.#flat[at + 1]!;
    return value;
  }

  /** One value a line, in order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    const values: string[] = [];
    for (let at = this.#find(lower, 0); at >= 0; at = this.#find(lower, at + 2)) values.push(this.#flat[at + 1]!);
    return values;
  }

  /** Replaces every line of the name by one, at the place of the first. @throws TypeError on a bad name or value */
  set(name: string, value: string): void {
    check(name, value);
    this.put(name, value);
  }

  /** {@link set} for a name and a value that are known to be good: constants of ours, and what a codec has checked. */
  put(name: string, value: string): void {
    const lower = name.toLowerCase();
    const first = this.#find(lower, 0);
    if (first < 0) {
      this.#flat.push(name, value);
      return;
    }
    this.#flat[first] = name;
    this.#flat[first + 1] = value;
    this.#deleteFrom(lower, first + 2);
  }

  /** Adds a line after all others. @throws TypeError on a bad name or value */
  append(name: string, value: string): void {
    check(name, value);
    this.#flat.push(name, value);
  }

  /** Removes every line of the name; says whether there was one. */
  delete(name: string): boolean {
    return this.#deleteFrom(name.toLowerCase(), 0);
  }

  /** Keeps the lines for which `keep` answers true; the name is given in lower case. One pass, order kept. */
  filter(keep: (lowerName: string, value: string) => boolean): void {
    const flat = this.#flat;
    let to = 0;
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at]!;
      const value = flat[at + 1]!;
      if (!keep(name.toLowerCase(), value)) continue;
      flat[to++] = name;
      flat[to++] = value;
    }
    flat.length = to;
  }

  /** Name, value, name, value …: the lines as they will be written. Read only. */
  get flat(): readonly string[] {
    return this.#flat;
  }

  clone(): Headers {
    return Headers.parsed(this.#flat.slice());
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let at = 0; at < this.#flat.length; at += 2) yield [this.#flat[at]!, this.#flat[at + 1]!];
  }

  #find(lower: string, from: number): number {
    const flat = this.#flat;
    const length = lower.length;
    for (let at = from; at < flat.length; at += 2) {
      const name = flat[at]!;
      if (name.length === length && (name === lower || name.toLowerCase() === lower)) return at;
    }
    return -1;
  }

  #deleteFrom(lower: string, from: number): boolean {
    const flat = this.#flat;
    let at = this.#find(lower, from);
    if (at < 0) return false;
    let to = at;
    for (; at < flat.length; at += 2) {
      const name = flat[at]!;
      if (name.length === lower.length && name.toLowerCase() === lower) continue;
      flat[to++] = name;
      flat[to++] = flat[at + 1]!;
    }
    flat.length = to;
    return true;
  }
}

function check(name: string, value: string): void {
  if (!token.test(name)) throw new TypeError(`not a header name: ${JSON.stringify(name)}`);
  if (!fieldValue.test(value)) {
    throw new TypeError(
      `value of header ${name} has a control character or one beyond Latin-1: ${JSON.stringify(value)}`,
    );
  }
}
