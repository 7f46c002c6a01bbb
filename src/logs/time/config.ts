import * as v from 'valibot';
import { doc } from '../../options/index.ts';
import { compileTimeFormat } from './time-format.ts';
import { compileZone } from './time-zone.ts';

/** The options of parsers about time stamps. */
export const timeOptions = {
  time_format: v.optional(
    doc(
      'How time stamps are written, as strptime knows it: %Y-%m-%d %H:%M:%S,%f. Without it RFC 3339, and numbers since 1970 whose unit shows in their size.',
      v.pipe(
        v.string('must be a format such as %Y-%m-%dT%H:%M:%S.%f%z'),
        v.maxLength(128, 'must have at most 128 characters'),
        check((format) => void compileTimeFormat(format, (wall) => wall)),
      ),
    ),
  ),
  time_zone: v.optional(
    doc(
      'Zone of time stamps that name none: an IANA name such as Europe/Berlin, or an offset such as +02:00.',
      v.pipe(
        v.string('must be a zone such as Europe/Berlin or +02:00'),
        check(
          (zone) => void compileZone(zone),
          (zone) => `must be a zone such as Europe/Berlin or +02:00, not ${JSON.stringify(zone)}`,
        ),
      ),
    ),
    'UTC',
  ),
};

function check(run: (text: string) => void, say?: (text: string) => string) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      run(dataset.value);
    } catch (error) {
      addIssue({ message: say?.(dataset.value) ?? (error as Error).message });
    }
  });
}
