import { isScalar, type LineCounter, type Node, type Pair, type YAMLMap } from 'yaml';

export type PlainPair = Pair<Node, unknown>;

/** The member of a mapping; aliases are not followed. */
export function pairOf(node: YAMLMap, key: string): PlainPair | undefined {
  return (node.items as PlainPair[]).find((pair) => isScalar(pair.key) && pair.key.value === key);
}

/** Where in the lines of a text its nodes stand. */
export class TextLayout {
  readonly #text: string;
  readonly #lines: LineCounter;

  constructor(text: string, lines: LineCounter) {
    this.#text = text;
    this.#lines = lines;
  }

  /** The line before which members can be added, and how far they are indented. */
  lineInside(node: YAMLMap): { before: number; indent: number } | undefined {
    const [first] = node.items as PlainPair[];
    const at = first?.key.range?.[0];
    if (at === undefined) return undefined;
    const indent = this.column(at);
    const line = this.line(at);
    const lineStart = this.#lines.lineStarts[line]!;
    if (this.#text.slice(lineStart, at).trim() === '') return { before: this.#aboveComments(line), indent };
    // `- name: app`: after a member that ends on the line it began on.
    for (const { key, value } of node.items as PlainPair[]) {
      const range = (value as Node | null)?.range;
      if (!isScalar(value) || range === undefined || range === null || String(value.type).startsWith('BLOCK')) continue;
      const own = this.line(key.range![0]);
      if (this.line(range[1]) === own) return { before: own + 1, indent };
    }
    return undefined;
  }

  /** Comments above a member belong to it. */
  #aboveComments(line: number): number {
    const { lineStarts } = this.#lines;
    const isComment = (above: number) => /^[ \t]*#/.test(this.#text.slice(lineStarts[above], lineStarts[above + 1]));
    let first = line;
    while (first > 0 && isComment(first - 1)) first--;
    return first;
  }

  /** Counted from 0. */
  line(offset: number): number {
    return Math.max(this.#lines.linePos(offset).line, 1) - 1;
  }

  /** Counted from 0. */
  column(offset: number): number {
    return Math.max(this.#lines.linePos(offset).col, 1) - 1;
  }
}
