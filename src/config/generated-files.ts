import { roles } from '../roles.ts';
import { configJsonSchema, roleJsonSchema } from './json-schema.ts';
import { configReference, roleReference } from './reference.ts';

/** What in config/ is made from the code: name of the file, content. */
export async function generatedFiles(): Promise<[name: string, text: string][]> {
  const files: [string, string][] = [
    ['schema.json', json(await configJsonSchema())],
    ['reference.md', await configReference()],
  ];
  for (const load of Object.values(roles)) {
    const role = await load();
    files.push(
      [`${role.name}.schema.json`, json(roleJsonSchema(role))],
      [`${role.name}.reference.md`, roleReference(role)],
    );
  }
  return files;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
