import { hash } from 'node:crypto';
import type { RelabelRule } from './config.ts';
import { expand } from './expand.ts';

/** Labels by name, in their order; the metric's name under `__name__`. */
export type LabelMap = Map<string, string>;

/** Changes the labels in place; false when the series is to be dropped. */
export type Relabel = (labels: LabelMap) => boolean;

/** One function of many rules, in their order, with the semantics of Prometheus (`model/relabel`). */
export function compileRelabel(rules: readonly RelabelRule[]): Relabel {
  const steps = rules.map(compileRule);
  return (labels) => steps.every((step) => step(labels));
}

function compileRule(rule: RelabelRule): Relabel {
  const { regex, separator, replacement } = rule;
  const target = rule.target_label ?? '';
  const source = (labels: LabelMap) => rule.source_labels.map((name) => labels.get(name) ?? '').join(separator);
  switch (rule.action) {
    case 'replace':
      return function replace(labels) {
        const match = regex.exec(source(labels));
        if (match === null) return true;
        const name = expand(target, match);
        if (isLabelName(name)) set(labels, name, expand(replacement, match));
        return true;
      };
    case 'keep':
      return (labels) => regex.test(source(labels));
    case 'drop':
      return (labels) => !regex.test(source(labels));
    case 'keepequal':
      return (labels) => (labels.get(target) ?? '') === source(labels);
    case 'dropequal':
      return (labels) => (labels.get(target) ?? '') !== source(labels);
    case 'hashmod': {
      const modulus = BigInt(rule.modulus!);
      return function hashmod(labels) {
        set(labels, target, String(md5Low(source(labels)) % modulus));
        return true;
      };
    }
    case 'lowercase':
      return function lowercase(labels) {
        set(labels, target, source(labels).toLowerCase());
        return true;
      };
    case 'uppercase':
      return function uppercase(labels) {
        set(labels, target, source(labels).toUpperCase());
        return true;
      };
    case 'labelmap':
      return function labelmap(labels) {
        for (const [name, value] of [...labels]) {
          const match = regex.exec(name);
          if (match !== null) set(labels, expand(replacement, match), value);
        }
        return true;
      };
    case 'labeldrop':
      return function labeldrop(labels) {
        for (const name of [...labels.keys()]) if (regex.test(name)) labels.delete(name);
        return true;
      };
    case 'labelkeep':
      return function labelkeep(labels) {
        for (const name of [...labels.keys()]) if (!regex.test(name)) labels.delete(name);
        return true;
      };
  }
}

/** An empty label is none. */
function set(labels: LabelMap, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else if (name !== '') labels.set(name, value);
}

/** Names with characters that no label may have are left alone, as in Prometheus. */
function isLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
}

/** The last eight bytes of the MD5, as a big-endian integer: what Prometheus calls the hash. */
function md5Low(text: string): bigint {
  return hash('md5', text, 'buffer').readBigUInt64BE(8);
}
