import type * as v from 'valibot';
import { roleSchema } from '../role/index.ts';
import { readingEntries } from './config.ts';
import { deliverySchema } from './delivery/index.ts';
import { processingEntries } from './processing-config.ts';

/** Everything that a configuration of `portico logs` may say. */
export const logsSchema = roleSchema(
  { ...readingEntries, ...processingEntries, ...deliverySchema.entries },
  '127.0.0.1:9091',
);
export type LogsConfig = v.InferOutput<typeof logsSchema>;
