import * as v from 'valibot';
import { doc, duration } from '../options/index.ts';

/** How a running portico, of whatever role, gets a new configuration. */
export const reloadEntries = {
  watch: v.optional(
    doc(
      'Applies changes of this file, and of files that it names, as they happen. False leaves it to SIGHUP and POST /reload. Certificates of listeners are followed in any case.',
      v.boolean('must be true or false'),
    ),
    true,
  ),
  poll_interval: v.optional(
    doc(
      'How often files are looked at. Notifications of the kernel would miss what Kubernetes does.',
      v.pipe(duration(), v.minValue(50, 'must be at least 50ms')),
    ),
    '500ms',
  ),
};
