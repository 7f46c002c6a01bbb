import * as v from 'valibot';
import { doc } from '../../options/index.ts';
import { linePattern } from '../pattern/line-pattern.ts';
import { timeOptions } from '../time/config.ts';

const keys = v.array(
  v.pipe(v.string(), v.nonEmpty('must be the name of a field')),
  'must be a list of names of fields',
);

/** For parsers of records whose fields have names of the app's choice. */
const namedFields = {
  ...timeOptions,
  time_keys: v.optional(
    doc('Fields that say when it happened; the first that does counts, and is no field of the record.', keys),
    ['time', 'timestamp', '@timestamp', 'ts', 'datetime', 'date', 't'],
  ),
  level_keys: v.optional(
    doc('Fields with the level, which becomes `level`: trace, debug, info, warn, error, fatal, or what it is.', keys),
    ['level', 'severity', 'lvl', 'log.level', 'loglevel'],
  ),
  message_keys: v.optional(doc('Fields with the message, which becomes `message`.', keys), [
    'message',
    'msg',
    'event',
    'log',
  ]),
};

const patternWithGroups = v.pipe(
  linePattern(),
  v.check(
    (pattern) => /\(\?<[A-Za-z_]/.test(pattern.source),
    'must have named groups, such as (?<level>[A-Z]+) (?<message>.*)',
  ),
);

const type = <const T extends string>(name: T) => doc('How lines are read.', v.literal(name));

/** How the text of a record becomes fields. What cannot be read is shipped as `message`, with the reason in `parse_error`. */
export const parserSchema = v.variant('type', [
  v.strictObject({ type: type('auto'), ...namedFields }),
  v.strictObject({ type: type('json'), ...namedFields }),
  v.strictObject({ type: type('logfmt'), ...namedFields }),
  v.strictObject({ type: type('nginx'), ...timeOptions }),
  v.strictObject({ type: type('apache'), ...timeOptions }),
  v.strictObject({
    type: type('regex'),
    ...timeOptions,
    pattern: doc(
      'A regular expression with named groups, which must match the whole record of at most 4096 characters; the groups are its fields, `time` and `level` are understood; without a group `message` that is the whole record. Patterns that could take very long are refused.',
      patternWithGroups,
    ),
  }),
  v.strictObject({ type: type('cri') }),
  v.strictObject({ type: type('none') }),
]);
export type ParserConfig = v.InferOutput<typeof parserSchema>;
