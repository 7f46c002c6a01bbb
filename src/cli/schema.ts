import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { roles } from '../roles.ts';
import { complain, roleOption, say, type Command } from './command.ts';

const folder = fileURLToPath(new URL('../../config/', import.meta.url));

export const schema: Command = {
  name: 'schema',
  doc: 'Prints the JSON Schema of the configuration, for editors; with the options of the filters that come with portico.',
  options: {
    role: roleOption,
    write: {
      type: 'boolean',
      doc: 'Writes the schemas and references of all roles into config/ of this installation instead.',
    },
  },
  async run({ write, role }) {
    if (write === true) {
      const { generatedFiles } = await import('../config/generated-files.ts');
      for (const [name, text] of await generatedFiles()) {
        await writeFile(folder + name, text);
        say(`wrote config/${name}`);
      }
      return 0;
    }
    const { configJsonSchema, roleJsonSchema } = await import('../config/json-schema.ts');
    if (typeof role === 'string' && roles[role] === undefined) {
      complain(`portico schema: there is no role ${role}; there are ${Object.keys(roles).join(', ')}`);
      return 2;
    }
    const jsonSchema = typeof role === 'string' ? roleJsonSchema(await roles[role]!()) : await configJsonSchema();
    process.stdout.write(`${JSON.stringify(jsonSchema, null, 2)}\n`);
    return 0;
  },
};
