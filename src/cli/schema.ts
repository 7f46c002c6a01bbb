import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { say, type Command } from './command.ts';

const folder = fileURLToPath(new URL('../../config/', import.meta.url));

export const schema: Command = {
  name: 'schema',
  doc: 'Prints the JSON Schema of the configuration, for editors; with the options of the filters that come with portico.',
  options: {
    write: { type: 'boolean', doc: 'Writes config/schema.json and config/reference.md of this installation instead.' },
  },
  async run({ write }) {
    const { configJsonSchema } = await import('../config/json-schema.ts');
    const jsonSchema = await configJsonSchema();
    const text = `${JSON.stringify(jsonSchema, null, 2)}\n`;
    if (write !== true) {
      process.stdout.write(text);
      return 0;
    }
    const { configReference } = await import('../config/reference.ts');
    await writeFile(`${folder}schema.json`, text);
    await writeFile(`${folder}reference.md`, await configReference());
    say('wrote config/schema.json and config/reference.md');
    return 0;
  },
};
