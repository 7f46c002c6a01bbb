import * as v from 'valibot';
import { compiled, compileSafeRegex, doc, integer } from '../../options/index.ts';

export const relabelActions = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof relabelActions)[number];

const labelName = v.pipe(
  v.string('must be a label name'),
  v.minLength(1, 'must be a label name'),
  v.maxLength(256, 'must be a label name of at most 256 characters'),
);

/** Go's notation where JavaScript's differs: `(?P<name>…)` and a leading `(?i)`. */
export function compileRelabelRegex(pattern: string): RegExp {
  const flags = /^\(\?([is]+)\)/.exec(pattern);
  const body = pattern.slice(flags?.[0].length ?? 0).replaceAll('(?P<', '(?<');
  return compileSafeRegex(flags === null ? body : `(?${flags[1]}:${body})`);
}

const regex = compiled('must be a regular expression', 'regex', compileRelabelRegex);

export const relabelRuleSchema = v.pipe(
  v.strictObject({
    source_labels: v.optional(
      doc(
        'Labels whose values, joined, are looked at; `__name__` is the name of the metric.',
        v.array(labelName, 'must be a list of label names'),
      ),
      [],
    ),
    separator: v.optional(
      doc('What joins the values.', v.pipe(v.string('must be text'), v.maxLength(64, 'must be at most 64 characters'))),
      ';',
    ),
    regex: v.optional(
      doc('Must match the whole of the joined values, or of a label name for the actions on names.', regex),
      '(.*)',
    ),
    target_label: v.optional(
      doc('The label that is set; `$1` and `${name}` stand for groups of the regex.', labelName),
    ),
    replacement: v.optional(
      doc('What it is set to; `$1` and `${name}` stand for groups of the regex.', v.string('must be text')),
      '$1',
    ),
    modulus: v.optional(doc('For hashmod: the remainder of the hash by this.', integer(1))),
    action: v.optional(
      doc(
        'What a match does, as in Prometheus.',
        v.picklist(relabelActions, `must be one of ${relabelActions.join(', ')}`),
      ),
      'replace',
    ),
  }),
  v.check(
    ({ action, target_label }) => !needsTarget.includes(action) || target_label !== undefined,
    (issue) => `needs target_label for the action ${(issue.input as { action: string }).action}`,
  ),
  v.check(
    ({ action, modulus }) => action !== 'hashmod' || modulus !== undefined,
    'needs modulus for the action hashmod',
  ),
  v.check(
    ({ action, source_labels }) =>
      action === 'labeldrop' || action === 'labelkeep' ? source_labels.length === 0 : true,
    'labeldrop and labelkeep look at the names of labels: source_labels has no meaning there',
  ),
);

const needsTarget: readonly RelabelAction[] = [
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
];

export const relabelRulesSchema = v.array(relabelRuleSchema, 'must be a list of rules');
export type RelabelRule = v.InferOutput<typeof relabelRuleSchema>;
