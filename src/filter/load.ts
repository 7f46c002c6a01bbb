import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { didYouMean } from '../options/index.ts';
import type { FilterDefinition } from './define-filter.ts';
import { distrust, noticeChanges, userModule } from './resolve-portico.ts';

/** Where the filters that come with portico live: one file each, named as the filter is. */
export const filtersFolder = fileURLToPath(new URL('../../filters/', import.meta.url));

/**
 * The filter that a configuration names: `jwt-auth` is a file of {@link filtersFolder}, `./my-filters/geo.ts` any file.
 * A file that has changed is loaded anew.
 * @param baseFolder what relative paths start from
 * @throws Error whose message says what is wrong with the reference, or with the file
 */
export async function loadFilter(reference: string, baseFolder: string): Promise<FilterDefinition> {
  return isPath(reference) ? loadFile(reference, resolve(baseFolder, reference)) : loadShipped(reference);
}

/** The filter's name, which is the file's: `./my-filters/geo.ts` → `geo`. */
export function filterName(reference: string): string {
  return isPath(reference) ? basename(reference, extname(reference)) : reference;
}

/** Names of the filters that come with portico, sorted. */
export async function shippedFilters(): Promise<string[]> {
  const files = await readdir(filtersFolder, { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && /^[a-z][a-z0-9-]*\.ts$/.test(file.name))
    .map((file) => basename(file.name, '.ts'))
    .sort();
}

/** Whether it names a file, rather than a filter that comes with portico. */
export function isPath(reference: string): boolean {
  return isAbsolute(reference) || reference.includes('/') || reference.endsWith('.ts') || reference.endsWith('.js');
}

async function loadShipped(name: string): Promise<FilterDefinition> {
  const known = await shippedFilters();
  if (!known.includes(name)) {
    const meant = didYouMean(name, known);
    const hint =
      meant === undefined
        ? `there are ${known.join(', ')}; a filter of your own is named by its path, such as ./geo.ts`
        : `did you mean ${meant}?`;
    throw new Error(`there is no filter ${JSON.stringify(name)}; ${hint}`);
  }
  return definitionOf(await importFilter(pathToFileURL(join(filtersFolder, `${name}.ts`)).href), `filters/${name}.ts`);
}

async function loadFile(reference: string, path: string): Promise<FilterDefinition> {
  // The real path, as Node's loader takes it: a Kubernetes ConfigMap is changed by swapping a symbolic link.
  const file = await realpath(path).catch(() => undefined);
  if (file === undefined) throw new Error(`there is no file ${path}${await similarFile(path)}`);
  if (!(await stat(file)).isFile()) throw new Error(`${reference} is not a file`);
  if (!/\.[cm]?[jt]s$/.test(file)) throw new Error(`${reference} is not a .ts or .js file`);
  noticeChanges();
  let module: Record<string, unknown>;
  try {
    module = await importFilter(userModule(pathToFileURL(file).href));
  } catch (error) {
    distrust();
    throw new Error(`${reference} cannot be loaded: ${told(error)}`, { cause: error });
  }
  return definitionOf(module, reference);
}

async function similarFile(path: string): Promise<string> {
  try {
    const meant = didYouMean(basename(path), await readdir(dirname(path)));
    return meant === undefined ? '' : `; did you mean ${meant}?`;
  } catch {
    return '';
  }
}

async function importFilter(url: string): Promise<Record<string, unknown>> {
  return (await import(/* @vite-ignore */ url)) as Record<string, unknown>;
}

function told(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0]! : String(error);
}

function definitionOf(module: Record<string, unknown>, reference: string): FilterDefinition {
  const definition = module['default'];
  if (isDefinition(definition)) return definition;
  const found = definition === undefined ? 'it has no default export' : 'its default export is something else';
  throw new Error(
    `${reference} is not a filter: ${found}; write export default defineFilter({ doc: '…', create() { … } })`,
  );
}

function isDefinition(value: unknown): value is FilterDefinition {
  if (value === null || typeof value !== 'object') return false;
  const { doc, create, config } = value as Partial<FilterDefinition>;
  if (typeof doc !== 'string' || typeof create !== 'function') return false;
  return config === undefined || (config as { kind?: unknown }).kind === 'schema';
}
