import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { defaultInjectOptions, inject, InjectError, removeInjection } from '../../src/inject/index.ts';
import { inject as injectCommand, readInjectOptions } from '../../src/cli/inject.ts';
import { kubernetesFaults } from '../support/kubernetes-schema.ts';

// NAME.in.yaml becomes NAME.out.yaml with the options of NAME.args; a file in faults is refused with the lines of NAME.txt. To add a
// case, add the files.
const golden = 'test/inject/golden';
const faulty = 'test/inject/faults';
const names = (folder: string, ending: string) =>
  readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));

const read = (file: string) => readFileSync(file, 'utf8');
function optionsOf(path: string) {
  const file = `${path}.args`;
  const words = existsSync(file) ? read(file).trim().split(/\s+/) : [];
  const options = readInjectOptions(parseArgs({ args: words, options: injectCommand.options }).values);
  if (typeof options === 'string') throw new Error(options);
  return options;
}

const data = (text: string) =>
  parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as unknown);

describe.each(names(golden, '.in.yaml'))('portico inject with %s', (name) => {
  const original = read(`${golden}/${name}.in.yaml`);
  const options = optionsOf(`${golden}/${name}`);
  const injected = inject(original, options).text;

  it('gives what is expected', async () => {
    await expect(injected).toMatchFileSnapshot(`golden/${name}.out.yaml`);
  });

  it('changes nothing the second time', () => {
    expect(inject(injected, options).text).toBe(injected);
  });

  it('forgets what was chosen the first time', () => {
    const other = { ...options, roles: ['metrics'] as const, image: 'other:1' };
    expect(inject(inject(original, other).text, options).text).toBe(injected);
  });

  it('is taken out without a trace, and nothing is taken out of what has none', () => {
    expect(removeInjection(injected)).toBe(original);
    expect(removeInjection(original)).toBe(original);
  });

  it('is a manifest that Kubernetes takes, if the original is', async () => {
    for (const manifest of data(original)) expect(await kubernetesFaults(manifest)).toEqual([]);
    for (const manifest of data(injected)) expect(await kubernetesFaults(manifest)).toEqual([]);
  });
});

describe('a manifest is edited by people between two runs', () => {
  const original = read(`${golden}/deployment-with-service.in.yaml`);
  const edit = (text: string) => text.replace('shop:1.4.2', 'shop:1.5.0').replace('replicas: 2', 'replicas: 3 # more');

  it('and keeps their changes when the sidecars are taken out', () => {
    const edited = edit(inject(original, defaultInjectOptions).text);
    expect(edited).not.toBe(inject(original, defaultInjectOptions).text);
    expect(removeInjection(edited)).toBe(edit(original));
  });

  it('and keeps them when another image is rolled out', () => {
    const newer = { ...defaultInjectOptions, image: 'portico:9.9.9' };
    expect(inject(edit(inject(original, defaultInjectOptions).text), newer).text).toBe(
      inject(edit(original), newer).text,
    );
  });
});

describe('what cannot be done is refused with line and column', () => {
  it.each(names(faulty, '.yaml'))('%s', async (name) => {
    let error: unknown;
    try {
      inject(read(`${faulty}/${name}.yaml`), optionsOf(`${faulty}/${name}`));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InjectError);
    await expect(`${(error as InjectError).message}\n`).toMatchFileSnapshot(`faults/${name}.txt`);
  });

  it('a manifest larger than any is', () => {
    expect(() => inject('# '.padEnd(17 * 1024 * 1024, 'x'), defaultInjectOptions)).toThrow(/larger than 16 MiB/);
  });
});

describe('the schemas of Kubernetes', () => {
  it.each([
    [
      'a wrong type',
      { spec: { containers: [{ name: 'a', ports: [{ containerPort: '80' }] }] } },
      'containerPort: type {"type":"integer"}',
    ],
    ['what is missing', { spec: { containers: [{ image: 'a' }] } }, 'required {"missingProperty":"name"}'],
    ['an unknown field', { spec: { containers: [{ name: 'a', imgae: 'a' }] } }, '/spec/containers/0/imgae is unknown'],
  ])('find %s', async (_, pod, complaint) => {
    const faults = await kubernetesFaults({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, ...pod });
    expect(faults.join('\n')).toContain(complaint);
    expect(faults).toHaveLength(1);
  });
});
