import * as v from 'valibot';
import { doc, integer, name, safeRegex } from '../../options/index.ts';

/** How the process of the app is found, where the pod says `shareProcessNamespace: true`. */
export const processSelectorSchema = v.pipe(
  v.strictObject({
    command_line: v.optional(
      doc(
        'The whole command line, its arguments separated by spaces, such as `node .*server\\.js.*`. Of several processes the oldest counts.',
        safeRegex(),
      ),
    ),
    pid_file: v.optional(doc('A file with the number of the process, as this container sees it.', v.string())),
    listen_port: v.optional(
      doc('The process that listens on this TCP port. Needs the rights to read its /proc/PID/fd.', integer(1, 65535)),
    ),
  }),
  v.check(
    (selector) => Object.values(selector).filter((value) => value !== undefined).length === 1,
    'must have one of command_line, pid_file and listen_port, such as { listen_port: 8080 }',
  ),
);

export const processSchema = v.strictObject({
  proc: v.optional(doc('Where the proc file system is mounted.', v.string()), '/proc'),
  processes: v.optional(
    doc(
      'Processes that are measured.',
      v.pipe(
        v.array(
          v.strictObject({
            name: v.optional(doc('Label `process` of its metrics.', name()), 'app'),
            find: doc('How it is found.', processSelectorSchema),
            proportional_memory: v.optional(
              doc(
                'Also measure the proportional set size, for which the kernel walks through all its memory; takes milliseconds for each GiB.',
                v.boolean(),
              ),
              false,
            ),
          }),
        ),
        v.minLength(1, 'must name a process'),
        v.maxLength(32, 'must name at most 32 processes'),
        v.check(
          (processes) => new Set(processes.map((each) => each.name)).size === processes.length,
          'names must differ',
        ),
      ),
    ),
    [{ name: 'app', find: { listen_port: 8080 } }],
  ),
});

export type ProcessSelector = v.InferOutput<typeof processSelectorSchema>;
export type ProcessConfig = v.InferOutput<typeof processSchema>;
