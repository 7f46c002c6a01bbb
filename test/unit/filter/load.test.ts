import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { filterName, loadFilter, shippedFilters } from '../../../src/filter/load.ts';

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-filters-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const source = (doc: string) =>
  `import { defineFilter, type Request } from 'portico';\n` +
  `export default defineFilter({ doc: ${JSON.stringify(doc)}, create: () => ({ onRequest(request: Request) { void request; } }) });\n`;

describe('loadFilter', () => {
  it('loads every filter that comes with portico, by name', async () => {
    const names = await shippedFilters();
    expect(names).toEqual(expect.arrayContaining(['cors', 'headers', 'jwt-auth', 'rate-limit', 'request-id']));
    for (const name of names) expect((await loadFilter(name, '/')).doc).toMatch(/\.$/);
  });

  it('loads a TypeScript file by path, relative or absolute, once', async () => {
    const folder = scratch();
    mkdirSync(join(folder, 'mine'));
    writeFileSync(join(folder, 'mine/geo.ts'), source('One.'));
    const relative = await loadFilter('./mine/geo.ts', folder);
    expect(relative.doc).toBe('One.');
    expect(await loadFilter(join(folder, 'mine/geo.ts'), '/')).toBe(relative);
  });

  it('loads a file anew when it has changed, also by a swapped symbolic link', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'a.ts'), source('First.'));
    writeFileSync(join(folder, 'b.ts'), source('Second, swapped in.'));
    symlinkSync('a.ts', join(folder, 'geo.ts'));
    const first = await loadFilter('./geo.ts', folder);
    expect(await loadFilter('./geo.ts', folder)).toBe(first);
    unlinkSync(join(folder, 'geo.ts'));
    symlinkSync('b.ts', join(folder, 'geo.ts'));
    expect((await loadFilter('./geo.ts', folder)).doc).toBe('Second, swapped in.');
    writeFileSync(join(folder, 'b.ts'), source('Third.'));
    expect((await loadFilter('./geo.ts', folder)).doc).toBe('Third.');
  });

  it('loads a file that could not be loaded before', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'geo.ts'), 'export default {');
    await expect(loadFilter('./geo.ts', folder)).rejects.toThrow(/^\.\/geo\.ts cannot be loaded: ./);
    writeFileSync(join(folder, 'geo.ts'), source('Mended.'));
    expect((await loadFilter('./geo.ts', folder)).doc).toBe('Mended.');
  });

  it.each([
    ['a name that nearly is one', 'jwtauth', 'there is no filter "jwtauth"; did you mean jwt-auth?'],
    ['a name that is none', 'kaleidoscope', /^there is no filter "kaleidoscope"; there are .*cors, .*\.\/geo\.ts$/],
    ['a helper of a filter', 'jwt-auth/config', /^there is no file \/.*\/jwt-auth\/config$/],
    ['a file that is not there', './gee.ts', /^there is no file .*\/gee\.ts; did you mean geo\.ts\?$/],
    ['a file of another kind', './notes.txt', './notes.txt is not a .ts or .js file'],
    ['a folder', './folder.ts', './folder.ts is not a file'],
    [
      'a file without a default export',
      './bare.ts',
      /^\.\/bare\.ts is not a filter: it has no default export; write export default defineFilter/,
    ],
    [
      'a file with another default export',
      './other.ts',
      /^\.\/other\.ts is not a filter: its default export is something else; write/,
    ],
    ['a file that throws', './throws.ts', './throws.ts cannot be loaded: no luck'],
  ])('refuses %s', async (_, reference, message) => {
    const folder = scratch();
    writeFileSync(join(folder, 'geo.ts'), source('Geo.'));
    writeFileSync(join(folder, 'notes.txt'), 'notes');
    writeFileSync(join(folder, 'bare.ts'), 'export const filter = 1;');
    writeFileSync(join(folder, 'other.ts'), 'export default { create: true };');
    writeFileSync(join(folder, 'throws.ts'), 'throw new Error("no luck\\nat all");');
    mkdirSync(join(folder, 'folder.ts'));
    await expect(loadFilter(reference, folder)).rejects.toThrow(message);
  });
});

describe('filterName', () => {
  it.each([
    ['jwt-auth', 'jwt-auth'],
    ['./my-filters/geo.ts', 'geo'],
    ['/opt/filters/geo.js', 'geo'],
  ])('of %s is %s', (reference, name) => {
    expect(filterName(reference)).toBe(name);
  });
});
