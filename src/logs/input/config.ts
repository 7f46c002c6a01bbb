import * as v from 'valibot';
import { byteSize, compileSafeRegex, compiled, doc, duration, integer, name } from '../../options/index.ts';
import { compileExclude, compileGlob, type Glob } from './glob.ts';

/** A pattern that is tried at the beginning of a line. */
function lineStart() {
  return compiled('must be a regular expression', 'regex', (text) => {
    compileSafeRegex(text);
    return new RegExp(`^(?:${text})`, 'v');
  });
}

function glob() {
  return compiled('must be a pattern of paths such as /var/log/app/*.log', 'glob', (text): Glob => {
    try {
      return compileGlob(text);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`${message}; write a pattern such as /var/log/app/**/*.log`, { cause: error });
    }
  });
}

/** What is left out: as it was written, so that two configurations can be compared, and as a test of a path. */
export interface Exclude {
  readonly pattern: string;
  readonly matches: (path: string) => boolean;
}

function exclude() {
  return compiled('must be a pattern of names such as *.gz, or of paths', 'glob', (pattern): Exclude => ({
    pattern,
    matches: compileExclude(pattern),
  }));
}

const multilineSchema = v.pipe(
  v.strictObject({
    start_pattern: v.optional(
      doc(
        'What a line begins with that begins a record; all others belong to the one before. Tried on the first 1024 characters.',
        lineStart(),
      ),
    ),
    continuation_pattern: v.optional(
      doc('What a line begins with that belongs to the one before, such as `\\s` or `Caused by:`.', lineStart()),
    ),
    timeout: v.optional(
      doc(
        'A record is complete when no line has come for so long.',
        v.pipe(duration(), v.minValue(10, 'must be at least 10ms')),
      ),
      '1s',
    ),
    max_lines: v.optional(doc('More lines than this become several records.', integer(2, 100_000)), 500),
    max_bytes: v.optional(
      doc(
        'More bytes than this become several records.',
        v.pipe(byteSize(), v.minValue(1024), v.maxValue(16 * 1024 * 1024)),
      ),
      '1MiB',
    ),
  }),
  v.check(
    ({ start_pattern: start, continuation_pattern: continuation }) =>
      (start === undefined) !== (continuation === undefined),
    'must have either start_pattern or continuation_pattern, such as { start_pattern: "\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d" }',
  ),
);

/** Files of one kind. */
export const inputSchema = v.strictObject({
  name: doc('Name that metrics and logs use, and `input` of the records.', name()),
  paths: doc(
    'Patterns of absolute paths: `*`, `?`, `[abc]`, `{one,two}` within a name, `**` for any number of folders.',
    v.pipe(v.array(glob()), v.minLength(1, 'must list at least one pattern')),
  ),
  exclude: v.optional(doc('Patterns of names, or with a slash of paths, that are left out.', v.array(exclude())), [
    '*.gz',
    '*.zst',
    '*.bz2',
    '*.xz',
  ]),
  format: v.optional(
    doc(
      'lines: each line is the text of the app. cri: as containerd and CRI-O write what containers say, with time and stream before each line.',
      v.picklist(['lines', 'cri'], 'must be lines or cri'),
    ),
    'lines',
  ),
  read_from: v.optional(
    doc(
      'Where files are read from that are there at the very first start. Files that appear later are always read from their beginning.',
      v.picklist(['beginning', 'end'], 'must be beginning or end'),
    ),
    'beginning',
  ),
  max_line_bytes: v.optional(
    doc(
      'Longer lines are cut; what goes beyond is counted and not shipped.',
      v.pipe(
        byteSize(),
        v.minValue(256, 'must be at least 256B'),
        v.maxValue(16 * 1024 * 1024, 'must be at most 16MiB'),
      ),
    ),
    '1MiB',
  ),
  partial_line_timeout: v.optional(
    doc(
      'A last line without a line end is shipped as it is when nothing was added for so long.',
      v.pipe(duration(), v.minValue(10, 'must be at least 10ms')),
    ),
    '5s',
  ),
  multiline: v.optional(doc('Makes one record of lines that belong together, such as stack traces.', multilineSchema)),
  rotate_wait: v.optional(
    doc(
      'A file that was rotated or deleted is followed until it stood still for so long: late writers are heard.',
      duration(),
    ),
    '5s',
  ),
});
export type InputConfig = v.InferOutput<typeof inputSchema>;

/** How all files are followed. */
export const followSchema = v.strictObject({
  poll_interval: v.optional(
    doc(
      'How often files are looked at. Where the kernel tells of changes they are seen at once; a file that stands still is looked at less often, at most every 2 s.',
      v.pipe(duration(), v.minValue(10, 'must be at least 10ms')),
    ),
    '250ms',
  ),
  discover_interval: v.optional(
    doc('How often folders are searched for new files.', v.pipe(duration(), v.minValue(10, 'must be at least 10ms'))),
    '1s',
  ),
  max_files: v.optional(
    doc('Files that are followed at most; what goes beyond is logged.', integer(1, 100_000)),
    10_000,
  ),
  max_open_files: v.optional(
    doc('Files that are open at most: those that stand still are closed and opened again.', integer(4, 65_536)),
    512,
  ),
});
export type FollowConfig = v.InferOutput<typeof followSchema>;
