import * as v from 'valibot';
import { byteSize, doc, duration, integer } from '../options/index.ts';

const ratio = () =>
  v.pipe(
    v.number('must be a number from 0.1 to 1, such as 0.92'),
    v.minValue(0.1, 'must be a number from 0.1 to 1, such as 0.92'),
    v.maxValue(1, 'must be a number from 0.1 to 1, such as 0.92'),
  );

/** Beyond which new work is refused so that running work completes. */
export const overloadSchema = v.strictObject({
  max_connections: v.optional(
    doc(
      'Most client connections on all listeners together; beyond them idle ones are closed, then new ones refused; 0 is no limit. Fewer when the process may not open that many files.',
      integer(0),
    ),
    20_000,
  ),
  max_exchanges: v.optional(
    doc('Most exchanges at once on all listeners together; more are answered 503 OM; 0 is no limit.', integer(0)),
    10_000,
  ),
  max_buffered_bytes: v.optional(
    doc(
      'Bytes of messages that the process may hold; while it holds more, exchanges are answered 503 OM; 0 is no limit.',
      byteSize(),
    ),
    '512MiB',
  ),
  memory_shed_ratio: v.optional(
    doc(
      'Share of the memory limit (of the cgroup, else of the JavaScript heap) from which exchanges are answered 503 OM and connections are not kept; 1 is off.',
      ratio(),
    ),
    0.92,
  ),
  memory_refuse_ratio: v.optional(
    doc('Share of the memory limit from which connections are refused and idle ones closed; 1 is off.', ratio()),
    0.95,
  ),
  event_loop_delay_shed: v.optional(
    doc(
      'How late the event loop is, several times in a row, when exchanges begin to be answered 503 OM; 0 is off.',
      duration(),
    ),
    '500ms',
  ),
});

export type OverloadConfig = v.InferOutput<typeof overloadSchema>;
