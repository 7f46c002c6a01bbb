import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Document, isCollection, isMap, isScalar, parseAllDocuments, visit, type Node, type Pair } from 'yaml';
import type { InjectError} from '../../src/inject/index.ts';
import { allRoles, defaultInjectOptions, inject, removeInjection } from '../../src/inject/index.ts';
import { Random } from '../support/random.ts';

// A manifest may be laid out in many ways. Whatever the layout, what is injected must be the same, and come out again without a trace.
const golden = 'test/inject/golden';
const options = { ...defaultInjectOptions, roles: allRoles, tlsSecret: 'tls', appPort: 8080 };
const data = (text: string) => parseAllDocuments(text, { version: '1.1' }).map((one) => one.toJS() as unknown);

/** The same data, written by somebody else. */
function relayout(manifest: unknown, random: () => number): string {
  const document = new Document(manifest, { aliasDuplicateObjects: false });
  const chance = (share: number) => random() < share;
  visit(document, {
    Node(key, node) {
      if (chance(0.2) && key !== 'value') node.commentBefore = chance(0.5) ? ' a comment' : ' two\n lines';
      if (chance(0.1) && isScalar(node) && key === 'value') node.comment = ' behind';
      if (isScalar(node) && typeof node.value === 'string' && chance(0.3)) {
        node.type = (['QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_LITERAL', 'PLAIN'] as const)[Math.floor(random() * 4)]!;
      }
      // Not at the root: that would be JSON, which is refused.
      if (isCollection(node) && node !== document.contents && chance(0.15)) node.flow = true;
    },
    Map(_, node) {
      if (chance(0.5)) node.items.sort(() => random() - 0.5);
    },
    Pair(_, pair: Pair) {
      const key = pair.key as Node;
      if (chance(0.1)) key.spaceBefore = true;
    },
  });
  // A key with a comment of its own is written behind a question mark, which nobody does.
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) || isMap(key)) delete key.comment;
      if (isScalar(key)) delete key.type;
    },
  });
  const text = document.toString({
    indent: chance(0.5) ? 2 : 4,
    indentSeq: chance(0.5),
    lineWidth: chance(0.5) ? 0 : 80,
    flowCollectionPadding: chance(0.5),
  });
  const start = chance(0.3) ? `---\n${text}` : text;
  const ends = chance(0.2) ? start.replaceAll('\n', '\r\n') : start;
  return chance(0.2) ? ends.trimEnd() : ends;
}

describe('every layout of a manifest', () => {
  const inputs = readdirSync(golden).filter((file) => file.endsWith('.in.yaml'));

  it.each(inputs)('%s', (file) => {
    const [manifest] = data(readFileSync(`${golden}/${file}`, 'utf8'));
    const [expected] = data(inject(new Document(manifest, { aliasDuplicateObjects: false }).toString(), options).text);
    const source = new Random(file.length);
    let refused = 0;
    let tried = 0;
    for (let round = 0; round < 30; round++) {
      const original = relayout(manifest, () => source.next());
      // The writer of YAML has its own limits.
      if (!isDeepStrictEqual(data(original), [manifest])) continue;
      tried++;
      let injected: string;
      try {
        injected = inject(original, options).text;
      } catch (error) {
        // It may be too odd to be edited, but not go wrong.
        expect((error as InjectError).message, original).toMatch(/layout|laid out|in braces/);
        // An item of a List in braces is JSON too.
        if (!/in braces/.test((error as InjectError).message)) refused++;
        continue;
      }
      expect(data(injected), original).toEqual([expected]);
      expect(removeInjection(injected)).toBe(original);
      expect(inject(injected, options).text).toBe(injected);
    }

    expect(tried).toBeGreaterThan(20);
    expect(refused).toBeLessThan(3);
  });
});
