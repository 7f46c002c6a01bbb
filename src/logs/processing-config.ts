import * as v from 'valibot';
import { doc } from '../options/index.ts';
import { podSchema } from '../pod/config.ts';
import { enrichSchema } from './enrich/config.ts';
import { parserSchema } from './parse/config.ts';
import { redactSchema } from './redact/config.ts';
import { rulesSchema } from './rules/config.ts';

/** The options about what is made of records, beside the parsers, which belong to the inputs. */
export const processingEntries = {
  pod: v.optional(doc('Where the sidecar learns which pod it is in.', podSchema), {}),
  enrich: v.optional(doc('What is added to every record.', enrichSchema), {}),
  rules: v.optional(
    doc(
      'What is shipped and what not. The first rule that is for a record decides; a record that none is for is shipped.',
      rulesSchema,
    ),
    [],
  ),
  redact: v.optional(doc('What is taken out of records before they are shipped.', redactSchema), {}),
};

/** How records of one input are read. */
export const parserEntry = v.optional(doc('How the text of a record becomes fields.', parserSchema), { type: 'auto' });

export const processingSchema = v.strictObject(processingEntries);
export type ProcessingConfig = v.InferOutput<typeof processingSchema>;
