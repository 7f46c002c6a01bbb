import * as v from 'valibot';
import { doc, name } from '../../options/index.ts';
import { processSelectorSchema } from '../process/config.ts';

export const pressureSchema = v.strictObject({
  proc: v.optional(doc('Where the proc file system is mounted.', v.string()), '/proc'),
  groups: v.optional(
    doc(
      'Control groups that are measured.',
      v.pipe(
        v.array(
          v.strictObject({
            name: v.optional(doc('Label `group` of its metrics.', name()), 'self'),
            path: v.optional(
              doc('Folder of the group. In a container this is where its own group is mounted.', v.string()),
              '/sys/fs/cgroup',
            ),
            process: v.optional(
              doc(
                'Look for the folder where this process sees it (/proc/PID/root): the group of the app rather than of this container. Needs shareProcessNamespace and the same user, or CAP_SYS_PTRACE.',
                processSelectorSchema,
              ),
            ),
          }),
        ),
        v.minLength(1, 'must name a group'),
        v.maxLength(32, 'must name at most 32 groups'),
        v.check((groups) => new Set(groups.map((each) => each.name)).size === groups.length, 'names must differ'),
      ),
    ),
    [{}],
  ),
});

export type PressureConfig = v.InferOutput<typeof pressureSchema>;
