import * as v from 'valibot';
import { doc, name } from '../../options/index.ts';
import { fieldPath } from '../field-path-option.ts';
import { levels } from '../parse/level.ts';
import { linePattern } from '../pattern/line-pattern.ts';

const scalar = v.union([v.string(), v.number(), v.boolean()], 'must be text, a number, true or false');

/** What a field must be. All that is said must hold. */
export const conditionSchema = v.pipe(
  v.strictObject({
    field: doc('A field, or the way to one such as http.status.', fieldPath()),
    equals: v.optional(doc('It is this.', scalar)),
    in: v.optional(doc('It is one of these.', v.array(scalar))),
    prefix: v.optional(doc('It is text that begins so.', v.string())),
    regex: v.optional(doc('It is text of at most 4096 characters that matches as a whole.', linePattern())),
    exists: v.optional(doc('It is there, or with false it is not.', v.boolean())),
    at_least: v.optional(doc('It is a number, or text of one, that is not less.', v.number())),
    at_most: v.optional(doc('It is a number, or text of one, that is not more.', v.number())),
    level_at_least: v.optional(
      doc('It is a level that is not less severe.', v.picklist(levels, `must be one of ${levels.join(', ')}`)),
    ),
  }),
  v.check((condition) => Object.keys(condition).length > 1, 'must say what the field must be, such as equals: GET'),
);
export type ConditionConfig = v.InferOutput<typeof conditionSchema>;

const common = {
  name: v.optional(doc('Name that metrics use. Default: its place in the list.', name())),
  when: v.optional(doc('What must hold; without it the rule is for all records.', v.array(conditionSchema)), []),
};

const does = <const T extends string>(action: T, sentence: string) => doc(sentence, v.literal(action));

/** The first rule that is for a record decides; a record that none is for is kept. */
export const rulesSchema = v.array(
  v.variant('action', [
    v.strictObject({ action: does('drop', 'Such records are not shipped.'), ...common }),
    v.strictObject({ action: does('keep', 'Such records are shipped, whatever the rules behind say.'), ...common }),
    v.strictObject({
      action: does('sample', 'A part of such records is shipped.'),
      ...common,
      rate: doc(
        'Share of the records that are shipped, from 0 to 1.',
        v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      ),
      key: v.optional(
        doc(
          'Records in which this field is the same are shipped together or not at all, such as trace_id.',
          fieldPath(),
        ),
      ),
    }),
  ]),
);
export type RulesConfig = v.InferOutput<typeof rulesSchema>;
