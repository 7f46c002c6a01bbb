import { createHash } from 'node:crypto';
import type { Stats } from '../../stats/index.ts';
import { fieldAt, parseFieldPath } from '../field-path.ts';
import { compileCondition } from './compile-condition.ts';
import type { RulesConfig } from './config.ts';

type Fields = Readonly<Record<string, unknown>>;
type RuleConfig = RulesConfig[number];

/** Whether a record is shipped. */
export type Judge = (fields: Fields) => boolean;

/**
 * Compiles the rules: the first that is for a record decides.
 * @param random from 0 to below 1, for samples without key
 */
export function compileRules(rules: RulesConfig, stats: Stats, random: () => number): Judge {
  const dropped = stats.counter('portico_logs_rule_dropped_total', 'Records that a rule has dropped.', ['rule']);
  const compiled = rules.map((rule, at) => ({
    conditions: rule.when.map(compileCondition),
    ships: compileAction(rule, random),
    dropped: dropped.with({ rule: rule.name ?? String(at) }),
  }));
  return function judge(fields) {
    for (const rule of compiled) {
      if (!rule.conditions.every((holds) => holds(fields))) continue;
      const ships = rule.ships(fields);
      if (!ships) rule.dropped.add();
      return ships;
    }
    return true;
  };
}

function compileAction(rule: RuleConfig, random: () => number): Judge {
  switch (rule.action) {
    case 'drop':
      return () => false;
    case 'keep':
      return () => true;
    case 'sample': {
      const { rate, key } = rule;
      if (key === undefined) return () => random() < rate;
      const path = parseFieldPath(key);
      return (fields) => {
        const value = fieldAt(fields, path, key);
        return value === undefined ? random() < rate : shareOf(value) < rate;
      };
    }
  }
}

/** From 0 to below 1, the same for the same value in every process: all parts of an app sample the same traces. */
function shareOf(value: unknown): number {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
