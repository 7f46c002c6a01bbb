import * as v from 'valibot';
import { parseFieldPath } from './field-path.ts';

/** A path of a field as an option: text, as it was written. */
export function fieldPath({ wildcards = false } = {}) {
  return v.pipe(
    v.string('must be a field, or the way to one such as user.password'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        const path = parseFieldPath(dataset.value);
        if (!wildcards && path.includes('*')) addIssue({ message: 'must be one field, without *' });
      } catch (error) {
        addIssue({ message: (error as Error).message });
      }
    }),
  );
}
