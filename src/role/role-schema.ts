import * as v from 'valibot';
import { adminSchemaAt } from '../admin/config.ts';
import { reloadEntries } from '../config/reload-config.ts';
import { doc } from '../options/index.ts';
import { processLogSchema } from '../process-log.ts';

/**
 * The schema of a role's configuration file: the options that all roles have, then its own.
 * @param address where the role's admin listens when nothing is said
 */
export function roleSchema<const Entries extends v.ObjectEntries>(entries: Entries, address = '127.0.0.1:9090') {
  return v.strictObject({
    admin: v.optional(doc('The operators’ interface.', adminSchemaAt(address)), {}),
    log: v.optional(doc('The process log, on standard error.', processLogSchema), {}),
    ...entries,
    reload: v.optional(doc('How a running portico gets a new configuration.', v.strictObject(reloadEntries)), {}),
  });
}
