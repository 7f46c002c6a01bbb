import * as v from 'valibot';
import { adminSchema } from '../admin/config.ts';
import { reloadEntries } from '../config/reload-config.ts';
import { doc } from '../options/index.ts';
import { processLogSchema } from '../process-log.ts';

/**
 * The schema of a role's configuration file: the options that all roles have, then its own.
 * @param admin the role's defaults of the options of `admin`
 */
export function roleSchema<const Entries extends v.ObjectEntries>(
  entries: Entries,
  admin: v.InferInput<typeof adminSchema> = {},
) {
  return v.strictObject({
    admin: v.optional(doc('The operators’ interface.', adminSchema), admin),
    log: v.optional(doc('The process log, on standard error.', processLogSchema), {}),
    ...entries,
    reload: v.optional(doc('How a running portico gets a new configuration.', v.strictObject(reloadEntries)), {}),
  });
}
