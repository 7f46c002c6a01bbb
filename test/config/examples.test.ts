import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { ensureDevelopmentCertificates } from '../../src/cli/development-certificates.ts';
import { validate } from '../../src/cli/validate.ts';
import { loadConfig } from '../../src/config/index.ts';
import { describedConfig, type JsonSchema } from '../../src/config/json-schema.ts';
import { roles } from '../../src/roles.ts';

const examples = readdirSync('config').filter((file) => file.endsWith('.yaml'));

/** `logs.yaml` and `logs-to-loki.yaml` are for `portico logs`; what names no role is for the proxy. */
function roleOf(file: string): string | undefined {
  return Object.keys(roles).find((role) => file.startsWith(`${role}.`) || file.startsWith(`${role}-`));
}

describe('the configurations in config/', () => {
  it.each(examples)('%s is good', async (file) => {
    const folder = await installation();
    expect(await validate.run({ config: join(folder, 'config', file), role: roleOf(file) })).toBe(0);
  });

  it.each(examples)('%s passes the schema of its role', (file) => {
    // ESLint brings a JSON Schema validator along; editors use the same one.
    const require = createRequire(createRequire(import.meta.url).resolve('eslint/package.json'));
    const Ajv = require('ajv') as new (options: object) => { validate(schema: unknown, data: unknown): boolean; errors: unknown };
    const ajv = new Ajv({ allErrors: true, unknownFormats: 'ignore' });
    const role = roleOf(file);
    const generated = role === undefined ? 'schema.json' : `${role}.schema.json`;
    const schema: unknown = JSON.parse(readFileSync(`config/${generated}`, 'utf8'));
    ajv.validate(schema, parse(readFileSync(`config/${file}`, 'utf8')));
    expect(ajv.errors).toBe(null);
  });

  it('all-options.yaml has every option there is', async () => {
    const written = parse(readFileSync('config/all-options.yaml', 'utf8')) as unknown;
    const missing = [...optionsOf(await describedConfig(), [written], '')].filter(([, values]) => values.length === 0);
    expect(missing.map(([path]) => path)).toEqual([]);
  });

  it('leave nothing to the rest of the file that an empty file would need', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'empty.yaml'), '');
    const { config, filters } = await loadConfig(join(folder, 'empty.yaml'));
    expect(config.listeners.map(({ name, address }) => ({ name, address }))).toEqual([
      { name: 'http', address: { kind: 'tcp', host: '0.0.0.0', port: 80 } },
    ]);
    expect(config.clusters.map(({ name, endpoints }) => ({ name, endpoints }))).toEqual([
      { name: 'app', endpoints: [{ address: { kind: 'tcp', host: '127.0.0.1', port: 8080 }, weight: 1 }] },
    ]);
    expect(config.virtual_hosts[0]?.routes[0]?.route?.cluster).toBe('app');
    expect(config.admin.address).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 9090 });
    expect(filters.map(({ id }) => id)).toEqual(['request-id', 'access-log']);
  });
});

/** A copy of config/ with the files beside it that the examples name. */
async function installation(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const certs = join(folder, 'certs');
  const made = await ensureDevelopmentCertificates(certs);
  copyFileSync(made.certificate, join(certs, 'tls.crt'));
  copyFileSync(made.key, join(certs, 'tls.key'));
  const key = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', kid: 'one', alg: 'EdDSA' };
  for (const file of ['jwks.json', 'demo-jwks.json']) writeFileSync(join(certs, file), JSON.stringify({ keys: [key] }));
  mkdirSync(join(folder, 'config'));
  for (const file of examples) copyFileSync(join('config', file), join(folder, 'config', file));
  process.env['CERTIFICATE_FOLDER'] = certs;
  onTestFinished(() => void delete process.env['CERTIFICATE_FOLDER']);
  return folder;
}

/** Every option below a schema, with the values that were written for it. */
function* optionsOf(schema: JsonSchema, values: readonly unknown[], path: string): Generator<[string, unknown[]]> {
  for (const choice of schema.anyOf ?? []) yield* optionsOf(choice, values, path);
  if (schema.items !== undefined && !Array.isArray(schema.items)) yield* optionsOf(schema.items, values.flat(), `${path}[]`);
  const objects = values.filter((value) => typeof value === 'object' && value !== null) as Record<string, unknown>[];
  if (typeof schema.additionalProperties === 'object' && schema.properties === undefined) {
    yield* optionsOf(schema.additionalProperties, objects.flatMap((value) => Object.values(value)), `${path}.*`);
  }
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (path.endsWith('.per_filter_config')) continue;
    const inside = objects.filter((value) => name in value).map((value) => value[name]);
    yield [`${path}.${name}`, inside];
    yield* optionsOf(member, inside, `${path}.${name}`);
  }
  for (const { if: condition, then } of schema.allOf ?? []) {
    const name = condition!.properties!['name']!.const as string;
    yield* optionsOf(then!, objects.filter((value) => value['name'] === name), `${path}(${name})`);
  }
}
