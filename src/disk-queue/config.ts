import * as v from 'valibot';
import { byteSize, doc, duration } from '../options/index.ts';

export const diskQueueSchema = v.strictObject({
  path: doc(
    'Folder of the queue, made when it is missing. It belongs to one process at a time.',
    v.pipe(v.string('must be a folder'), v.minLength(1, 'must be a folder')),
  ),
  max_bytes: v.optional(
    doc('Most bytes on the disk.', v.pipe(byteSize(), v.minValue(64 * 1024, 'must be at least 64KiB'))),
    '256MiB',
  ),
  when_full: v.optional(
    doc(
      'drop_oldest gives up the oldest sixteenth for what is new, and counts it; block makes the writer wait.',
      v.picklist(['drop_oldest', 'block'], 'must be drop_oldest or block'),
    ),
    'drop_oldest',
  ),
  sync_interval: v.optional(
    doc(
      'Time after which what was written is on the disk even when the machine loses power; 0 is at once. What is written survives the end of the process in any case.',
      duration(),
    ),
    0,
  ),
});

export type DiskQueueConfig = v.InferOutput<typeof diskQueueSchema>;
