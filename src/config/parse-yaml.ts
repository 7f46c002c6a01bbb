import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Alias,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { didYouMean, type OptionPath } from '../options/index.ts';
import { makePlace, type Place } from './place.ts';

/** A fault at a place of the text. */
export interface TextFault {
  readonly offset: number;
  readonly path: OptionPath;
  readonly message: string;
}

/** A text value with a `$` in it or with `file:` before it, which stands for something else. */
export interface Indirect {
  readonly path: OptionPath;
  readonly place: Place;
  readonly text: string;
}

export interface ParsedYaml {
  /** Plain data: objects, lists, text, numbers, booleans, null. An empty text is an empty object. */
  readonly data: unknown;
  readonly root: Place;
  readonly indirect: readonly Indirect[];
  readonly faults: readonly TextFault[];
  /** 1-based. */
  readonly position: (offset: number) => { line: number; column: number };
}

/** Deep enough for anything that has an option, shallow enough for any stack. */
const deepest = 64;
/** Aliases, and the size of what they unfold to: what a person writes by hand stays far below. */
const mostAliases = 1000;
const largestExpansion = 4 * 1024 * 1024;
const mostSyntaxFaults = 5;

/**
 * YAML 1.2 with the core schema, one document, keeping the place of everything. Duplicate keys, tags of one's own,
 * several documents and aliases that unfold without end are faults. Merge keys (`<<`) work.
 */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  // The parser compares every key with every other, which takes minutes for a large mapping: duplicates are found below.
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: 'silent',
  });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const root = makePlace(0, undefined);
  const control = controlCharacter(text);
  if (control !== undefined) return { data: {}, root, indirect: [], faults: [control], position };
  if (!Array.isArray(documents) || documents.length === 0)
    return { data: {}, root, indirect: [], faults: [], position };
  const [document, second] = documents;
  const syntax = syntaxFaults(document!, text, position);
  if (syntax.length === 0 && second !== undefined) {
    const offset = second.contents?.range?.[0] ?? second.range[0];
    syntax.push({ offset, path: [], message: 'a second YAML document; write everything in one, without --- between' });
  }
  if (syntax.length > 0) return { data: {}, root, indirect: [], faults: syntax, position };
  const reader = new Reader(position);
  const { value, place } = reader.read(document!.contents, [], undefined);
  return { data: value ?? {}, root: place, indirect: reader.indirect, faults: reader.faults, position };
}

function controlCharacter(text: string): TextFault | undefined {
  // YAML 1.2.2 section 5.1: no C0 characters but tab, line feed and carriage return.
  const offset = text.search(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/);
  return offset < 0 ? undefined : { offset, path: [], message: 'a control character, which YAML does not allow' };
}

function syntaxFaults(document: Document.Parsed, text: string, position: ParsedYaml['position']): TextFault[] {
  const faults: TextFault[] = [];
  let lastLine = 0;
  const errors = [...document.errors].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const error of errors) {
    const { line } = position(error.pos[0]);
    if (line === lastLine) continue;
    lastLine = line;
    faults.push({ offset: error.pos[0], path: [], message: syntaxMessage(error, text) });
    // What follows a misplaced bracket or quote is mostly the parser being lost.
    if (error.code !== 'TAB_AS_INDENT' || faults.length === mostSyntaxFaults) break;
  }
  return faults;
}

const syntaxMessages: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'a tab, where YAML wants spaces; indent with spaces',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " on one line; put the value in quotes, or on lines of its own',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  MULTIPLE_DOCS: 'a second YAML document; write everything in one, without --- between',
};

function syntaxMessage(error: YAMLError, text: string): string {
  const known = syntaxMessages[error.code];
  if (known !== undefined) return known;
  const start = text.lastIndexOf('\n', error.pos[0] - 1) + 1;
  const end = text.indexOf('\n', error.pos[0]);
  if (/[{[].*\$\{/.test(text.slice(start, end < 0 ? undefined : end))) {
    return 'not YAML: inside { } and [ ], put a value with ${…} in quotes';
  }
  return `not YAML: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
}

interface Reading {
  value: unknown;
  place: Place;
}

/** Turns nodes into plain data. An alias is read again where it stands, so that every path has its place. */
class Reader {
  readonly faults: TextFault[] = [];
  readonly indirect: Indirect[] = [];
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  readonly #position: ParsedYaml['position'];
  #aliases = 0;
  #aliasDepth = 0;
  #unfolded = 0;
  #bomb = false;

  constructor(position: ParsedYaml['position']) {
    this.#position = position;
  }

  read(node: Node | null | undefined, path: OptionPath, key: Scalar | undefined): Reading {
    const keyAt = key?.range?.[0];
    // `key:` with nothing behind it has its value somewhere on a later line; the key is what a person looks for.
    const empty = node === null || node === undefined || (isScalar(node) && node.value === null);
    const at = empty ? (keyAt ?? node?.range?.[0] ?? 0) : (node.range?.[0] ?? 0);
    const place = makePlace(at, keyAt);
    return { value: node === null || node === undefined ? null : this.#value(node, path, place), place };
  }

  #value(node: Node, path: OptionPath, place: Place): unknown {
    if (path.length > deepest) return this.#fault(path, place, 'nested too deeply');
    if (isAlias(node)) return this.#alias(node, path, place);
    if (node.anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(node.anchor, node);
    if (this.#aliasDepth > 0 && (this.#unfolded += sizeOf(node)) > largestExpansion) {
      return this.#fault(path, place, 'aliases unfold to more than 4 MiB');
    }
    if (node.tag !== undefined && !coreTags.has(node.tag)) {
      return this.#fault(path, place, `the tag ${shownTag(node.tag)} is not supported; write the value without it`);
    }
    if (isScalar(node)) return this.#scalar(node, path, place);
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, path, place) : isSeq(node) ? this.#list(node, path, place) : null;
    this.#open.delete(node);
    return value;
  }

  #scalar(node: Scalar, path: OptionPath, place: Place): unknown {
    const { value } = node;
    if (typeof value === 'number' && !Number.isFinite(value))
      return this.#fault(path, place, 'must be a finite number');
    if (typeof value === 'string' && (value.includes('$') || value.startsWith('file:'))) {
      this.indirect.push({ path, place, text: value });
    }
    return value;
  }

  #list(node: YAMLSeq, path: OptionPath, place: Place): unknown[] {
    return node.items.map((item, index) => {
      const reading = this.read(nodeOf(item), [...path, index], undefined);
      place.members.set(index, reading.place);
      return reading.value;
    });
  }

  #map(node: YAMLMap, path: OptionPath, place: Place): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const merges: Pair[] = [];
    for (const pair of node.items) {
      if (isMergeKey(pair)) {
        merges.push(pair);
        continue;
      }
      const key = this.#key(pair, path, place);
      if (key === undefined) continue;
      const name = keyText(key);
      if (this.#aliasDepth > 0) this.#unfolded += name.length;
      const before = place.members.get(name);
      if (before !== undefined) {
        const { line } = this.#position(before.keyAt ?? before.at);
        const message = `is given a second time, after line ${line}; keep one`;
        this.#add({ offset: key.range?.[0] ?? place.at, path: [...path, name], message });
        continue;
      }
      const reading = this.read(nodeOf(pair.value), [...path, name], key);
      place.members.set(name, reading.place);
      result[name] = reading.value;
    }
    for (const pair of merges) this.#merge(pair, result, path, place);
    return result;
  }

  #key(pair: Pair, path: OptionPath, place: Place): Scalar | undefined {
    const { key } = pair;
    const offset = (isPair(key) ? undefined : (key as Node | null)?.range?.[0]) ?? place.at;
    if (!isScalar(key) || key.value === null || key.tag !== undefined) {
      this.#add({ offset, path, message: 'must have plain text for its keys' });
      return undefined;
    }
    if (keyText(key) !== '__proto__') return key;
    this.#add({ offset, path, message: 'must not have a key of the name __proto__' });
    return undefined;
  }

  /** `<<: *defaults` or `<<: [*a, *b]`: what is there already stays. */
  #merge(pair: Pair, into: Record<string, unknown>, path: OptionPath, place: Place): void {
    const key = pair.key as Scalar;
    const { value, place: source } = this.read(nodeOf(pair.value), path, key);
    const offers = Array.isArray(value)
      ? value.map((one: unknown, index) => ({ one, from: source.members.get(index)! }))
      : [{ one: value, from: source }];
    for (const { one, from } of offers) {
      if (one === null || typeof one !== 'object' || Array.isArray(one)) {
        if (from.faulty !== true) {
          this.#add({
            offset: key.range?.[0] ?? place.at,
            path,
            message: '<< must name a mapping, such as <<: *defaults',
          });
        }
        continue;
      }
      for (const [name, member] of Object.entries(one)) {
        if (Object.hasOwn(into, name)) continue;
        into[name] = member;
        place.members.set(name, from.members.get(name)!);
      }
    }
  }

  #alias(node: Alias, path: OptionPath, place: Place): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      const meant = didYouMean(node.source, this.#anchors.keys());
      const hint = meant === undefined ? 'define it before with' : `did you mean *${meant}? Else define it before with`;
      return this.#fault(path, place, `no anchor of the name *${node.source}; ${hint} &${node.source}`);
    }
    if (this.#open.has(target)) return this.#fault(path, place, `*${node.source} contains itself`);
    if (++this.#aliases > mostAliases)
      return this.#fault(path, place, `more than ${mostAliases} aliases, with those inside of others`);
    this.#aliasDepth++;
    const value = this.#value(target, path, place);
    this.#aliasDepth--;
    return value;
  }

  #fault(path: OptionPath, place: Place, message: string): null {
    place.faulty = true;
    this.#add({ offset: place.at, path, message });
    return null;
  }

  #add(fault: TextFault): void {
    if (bombs.test(fault.message)) {
      // One bomb has many ends; the first tells the story.
      if (this.#bomb) return;
      this.#bomb = true;
    }
    this.faults.push(fault);
  }
}

const bombs = /^(?:aliases unfold|more than \d+ aliases)/;

const coreTags = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
);

function shownTag(tag: string): string {
  return tag.replace('tag:yaml.org,2002:', '!!');
}

function sizeOf(node: Node): number {
  return 16 + (isScalar(node) && typeof node.value === 'string' ? node.value.length : 0);
}

function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN';
}

/** As it was written: `1` and `true` are text where a key is meant. */
function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function nodeOf(item: unknown): Node | null {
  return item as Node | null;
}
