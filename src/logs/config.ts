import * as v from 'valibot';
import { doc, duration } from '../options/index.ts';
import { followSchema, inputSchema } from './input/config.ts';
import { parserEntry } from './processing-config.ts';

const parsedInputSchema = v.strictObject({ ...inputSchema.entries, parser: parserEntry });

const stateSchema = v.strictObject({
  folder: v.optional(
    doc(
      'Where positions are kept, so that a restart goes on where it was. It must outlive the container: put it on the volume of the logs, or on one of its own.',
      v.pipe(v.string(), v.nonEmpty('must be the path of a folder')),
    ),
    '/var/lib/portico/logs',
  ),
  checkpoint_interval: v.optional(
    doc(
      'Positions are written at most this often, and at the end.',
      v.pipe(duration(), v.minValue(10, 'must be at least 10ms')),
    ),
    '1s',
  ),
  forget_after: v.optional(
    doc(
      'The position of a file that is gone is kept for so long, in case that it comes back.',
      v.pipe(duration(), v.minValue(1000, 'must be at least 1s')),
    ),
    '24h',
  ),
});

/** What the reading side of `portico logs` may be told. */
export const readingEntries = {
  inputs: doc(
    'Files to follow. A file that several inputs ask for belongs to the first of them.',
    v.pipe(
      v.array(parsedInputSchema),
      v.minLength(1, 'must list at least one input'),
      v.check(
        (inputs) => new Set(inputs.map(({ name }) => name)).size === inputs.length,
        'must not have two inputs of one name',
      ),
    ),
  ),
  follow: v.optional(doc('How all files are followed.', followSchema), {}),
  state: v.optional(doc('What is remembered over a restart.', stateSchema), {}),
  drain: v.optional(
    doc(
      'How it stops.',
      v.strictObject({
        drain_time: v.optional(
          doc(
            'After SIGTERM, how long it has to read all files to their ends and to have everything acknowledged. Less than the grace period of the pod.',
            duration(),
          ),
          '25s',
        ),
      }),
    ),
    {},
  ),
};

export const readingSchema = v.strictObject(readingEntries);
export type ReadingConfig = v.InferOutput<typeof readingSchema>;
