/**
 * Changes to a YAML text that touch no other byte. Every change is made twice, to the text and to the plain data that was read from it: when
 * the changed text is read again and gives other data, the layout was one that cannot be edited, and nobody gets a wrong manifest.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Alias,
  type Document,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { pairOf, TextLayout, type PlainPair } from './text-layout.ts';
import { InjectError, type InjectFault } from './inject-error.ts';
import { block, inFlow, notYaml } from './yaml-text.ts';
import { applyMarked, removeMarked, type Edit } from './marked-lines.ts';

export type PlainMap = Record<string, unknown>;

/** A mapping of the manifest, with the data that it stands for. */
export interface MapPlace {
  readonly node: YAMLMap;
  readonly data: PlainMap;
}

/** What kubectl reads is YAML 1.1, where `yes` is true and 0440 is octal. */
const dialect = {
  version: '1.1',
  uniqueKeys: false,
  keepSourceTokens: true,
  prettyErrors: false,
  logLevel: 'silent',
} as const;
const mostAliases = 1000;

export class ManifestSheet {
  readonly documents: readonly MapPlace[];
  readonly faults: InjectFault[] = [];
  readonly #text: string;
  readonly #layout: TextLayout;
  readonly #all: readonly Document[];
  readonly #data: readonly unknown[];
  readonly #edits: Edit[] = [];
  readonly #targets = new Map<Alias, Node>();

  /**
   * @param text of one or several documents; those that are no mapping are left alone
   * @throws InjectError when it is not YAML
   */
  constructor(text: string) {
    this.#text = text;
    const lineCounter = new LineCounter();
    const documents = parseAllDocuments(text, { ...dialect, lineCounter });
    this.#layout = new TextLayout(text, lineCounter);
    this.#all = Array.isArray(documents) ? documents : [];
    for (const document of this.#all) {
      const [error] = document.errors;
      if (error !== undefined) this.fault(error.pos[0], notYaml(text, error.pos[0], error.message));
    }
    this.check();
    for (const document of this.#all) this.#findTargets(document);
    this.#data = this.#all.map((document) => this.#toData(document));
    this.check();
    this.documents = this.#all.flatMap(({ contents }, index) =>
      isMap(contents) ? [{ node: contents, data: this.#data[index] as PlainMap }] : [],
    );
  }

  fault(at: number | Node | null | undefined, message: string): void {
    const offset = typeof at === 'number' ? at : (at?.range?.[0] ?? 0);
    const fault = { line: this.#layout.line(offset) + 1, column: this.#layout.column(offset) + 1, message };
    if (!this.faults.some((one) => isDeepStrictEqual(one, fault))) this.faults.push(fault);
  }

  /** @throws InjectError when there is a fault */
  check(): void {
    if (this.faults.length === 0) return;
    throw new InjectError(this.faults.toSorted((a, b) => a.line - b.line || a.column - b.column));
  }

  /** The mapping under a key; undefined when there is none. */
  mapAt({ node, data }: MapPlace, key: string): MapPlace | undefined {
    const value = this.valueNode(node, key);
    return isMap(value) ? { node: value, data: data[key] as PlainMap } : undefined;
  }

  /** The mappings in the list under a key; what is not a mapping is left out. */
  mapsAt({ node, data }: MapPlace, key: string): MapPlace[] {
    const value = this.valueNode(node, key);
    if (!isSeq(value)) return [];
    return value.items.flatMap((item, index) =>
      isMap(item) ? [{ node: item, data: (data[key] as PlainMap[])[index]! }] : [],
    );
  }

  /** The value of a key; of an alias, what it stands for. */
  valueNode(node: YAMLMap, key: string): Node | undefined {
    const value = (pairOf(node, key)?.value ?? undefined) as Node | undefined;
    return isAlias(value) ? this.#targets.get(value) : value;
  }

  /** Other text in the place of a scalar. */
  setScalar({ node, data }: MapPlace, key: string, value: string | number): void {
    const scalar = this.valueNode(node, key);
    if (!isScalar(scalar) || scalar.range === undefined || scalar.range === null)
      return this.fault(scalar ?? node, `${key} must be plain text here`);
    const [start, end] = scalar.range;
    // Text in block style (`|`) has its line end in its range.
    const length = this.#text.slice(start, end).trimEnd().length;
    this.#edits.push({ kind: 'text', start, end: start + length, text: inFlow(value) });
    data[key] = value;
  }

  /** Adds what is not there yet, and puts lists before what is. */
  add(place: MapPlace, entries: Readonly<PlainMap>): void {
    const fresh: PlainMap = {};
    for (const [key, value] of Object.entries(entries)) {
      if (Array.isArray(value) && value.length === 0) continue;
      const pair = pairOf(place.node, key);
      if (pair === undefined) fresh[key] = value;
      else this.#addTo(place, pair, key, value as readonly unknown[] | PlainMap);
    }
    if (Object.keys(fresh).length > 0) this.#addKeys(place, fresh);
  }

  /**
   * The text with its changes.
   * @throws InjectError when it would not say the same
   */
  apply(): string {
    this.check();
    const changed = applyMarked(this.#text, this.#edits);
    const documents = parseAllDocuments(changed, dialect);
    const same =
      Array.isArray(documents) &&
      documents.every(({ errors }) => errors.length === 0) &&
      isDeepStrictEqual(
        documents.map((document) => document.toJS({ maxAliasCount: mostAliases }) as unknown),
        this.#data,
      );
    if (!same || removeMarked(changed) !== this.#text) {
      this.fault(0, 'is laid out in a way that cannot be edited line by line; write the pod in block style');
      this.check();
    }
    return changed;
  }

  #addKeys({ node, data }: MapPlace, entries: PlainMap): void {
    if (node.flow === true) {
      const inner = Object.entries(entries).map(([key, value]) => `${inFlow(key)}: ${inFlow(value)}`);
      this.#insertInFlow(node, inner);
    } else {
      const spot = this.#layout.lineInside(node);
      if (spot === undefined)
        return this.fault(node, 'has a layout that nothing can be added to; begin it with a plain `key: value`');
      this.#edits.push({ kind: 'lines', before: spot.before, lines: block(entries, spot.indent) });
    }
    Object.assign(data, entries);
  }

  #addTo(place: MapPlace, pair: PlainPair, key: string, added: readonly unknown[] | PlainMap): void {
    const { node, data } = place;
    const there = pair.value as Node | null;
    const empty = isScalar(there) && there.value === null;
    const fits = Array.isArray(added) ? isSeq(there) : isMap(there);
    if (isAlias(there)) {
      return this.fault(there, `${key} is an alias, which nothing can be added to; write out what it stands for`);
    }
    if (!empty && !fits)
      return this.fault(there ?? node, `${key} must be a ${Array.isArray(added) ? 'list' : 'mapping'}`);
    if (empty || (isSeq(there) && there.items.length === 0)) {
      this.#fillEmpty(node, pair, there, added);
      data[key] = added;
    } else if (isSeq(there)) {
      this.#prepend(pair, there, added as readonly unknown[]);
      data[key] = [...(added as readonly unknown[]), ...(data[key] as unknown[])];
    } else {
      this.add(this.mapAt(place, key)!, added as PlainMap);
    }
  }

  #prepend({ key }: PlainPair, list: YAMLSeq, items: readonly unknown[]): void {
    if (list.flow === true) return this.#insertInFlow(list, items.map(inFlow));
    const lines = block(items, this.#layout.column(list.range![0]));
    this.#edits.push({ kind: 'lines', before: this.#layout.line(key.range![0]) + 1, lines });
  }

  /** `key: []`, `key: null` or `key:` get what is added on lines of its own, or in place where everything is in braces. */
  #fillEmpty(node: YAMLMap, pair: PlainPair, value: Node, added: unknown): void {
    const colon = pair.srcToken?.sep?.find(({ type }) => type === 'map-value-ind')?.offset;
    if (colon === undefined) return this.fault(pair.key, 'has a layout that nothing can be added to');
    const [start, end] = value.range!;
    const indent = this.#layout.column(pair.key.range![0]) + 2;
    const text = node.flow === true ? ` ${inFlow(added)}` : `\n${block(added, indent).join('\n')}`;
    this.#edits.push({ kind: 'text', start: colon + 1, end: end > start ? end : colon + 1, text });
  }

  #insertInFlow({ range, items }: YAMLMap | YAMLSeq, inner: readonly string[]): void {
    const at = range![0] + 1;
    const spaced = /^\s/.test(this.#text.slice(at, at + 1));
    const list = inner.join(', ');
    const text = items.length === 0 ? list : spaced ? ` ${list},` : `${list}, `;
    this.#edits.push({ kind: 'text', start: at, end: at, text });
  }

  #findTargets(document: Document): void {
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_, node) => {
        const target = isAlias(node) ? anchors.get(node.source) : undefined;
        if (isAlias(node) && target !== undefined) this.#targets.set(node, target);
        if (!isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  #toData(document: Document): unknown {
    try {
      return document.toJS({ maxAliasCount: mostAliases }) as unknown;
    } catch (error) {
      this.fault(document.range?.[0], (error as Error).message);
      return undefined;
    }
  }
}
