import * as v from 'valibot';
import { doc, name } from '../../options/index.ts';
import { fieldPath } from '../field-path-option.ts';
import { compilePattern } from './patterns.ts';

const action = v.optional(
  doc(
    'What happens to it: `replace` puts `with` in its place, `hash` a keyed hash by which equal values can still be told, `remove` takes it out.',
    v.picklist(['replace', 'hash', 'remove'], 'must be replace, hash or remove'),
  ),
  'replace',
);
const replacement = v.optional(doc('What takes its place.', v.string()), '[redacted]');

const pattern = v.pipe(
  v.string('must be the name of a pattern, or a regular expression'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      compilePattern(dataset.value);
    } catch (error) {
      addIssue({ message: (error as Error).message });
    }
  }),
);

/** What is not to be shipped. */
export const redactSchema = v.strictObject({
  fields: v.optional(
    doc(
      'By place.',
      v.array(
        v.strictObject({
          path: doc(
            'A field, or the way to one such as user.password; `*` stands for every member of what is there.',
            fieldPath({ wildcards: true }),
          ),
          action,
          with: replacement,
        }),
      ),
    ),
    [],
  ),
  patterns: v.optional(
    doc(
      'By look, in every text of a record.',
      v.array(
        v.strictObject({
          pattern: doc(
            'email, ipv4, credit_card, bearer, jwt, aws_key, or a regular expression for what is to be found.',
            pattern,
          ),
          name: v.optional(
            doc('Name that metrics use. Default: the pattern, when it is one of those with a name.', name()),
          ),
          action,
          with: replacement,
        }),
      ),
    ),
    [],
  ),
  hash_secret: v.optional(
    doc(
      'Key of the hash (HMAC-SHA-256): without it nobody can find out a value by trying. Write file:/path to take it from a file. Needed where something is hashed.',
      v.pipe(v.string(), v.minLength(16, 'must have at least 16 characters')),
    ),
  ),
});
export type RedactConfig = v.InferOutput<typeof redactSchema>;
