/**
 * Lets filters anywhere on disk write `import { defineFilter } from 'portico'`, and reloads them when they change.
 * Importing this file is enough.
 */
import { statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const portico = new URL('./index.ts', import.meta.url).href;

/** Files of users' filters and what they import relatively, with the state they were loaded in. */
const watched = new Map<string, string>();
/** Modules cannot be unloaded: after a change all users' modules are loaded anew, together, so that they agree on each other. */
let generation = 0;
let distrusted = false;
const marker = 'portico-generation';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'portico') return { url: portico, shortCircuit: true };
    const parent = context.parentURL;
    if (specifier === 'valibot' && parent !== undefined) {
      try {
        return next(specifier, context);
      } catch {
        // A filter outside of any package: it gets the valibot that portico has.
        return next(specifier, { ...context, parentURL: import.meta.url });
      }
    }
    if (parent === undefined || !/^\.{0,2}\//.test(specifier) || !watched.has(withoutQuery(parent)))
      return next(specifier, context);
    const found = next(specifier, context);
    return { ...found, url: userModule(found.url) };
  },
});

/**
 * The URL to import a user's file by: the same one as long as no user's file has changed since it was loaded.
 * @param url of a file
 */
export function userModule(url: string): string {
  const plain = withoutQuery(url);
  if (!plain.startsWith('file:')) return url;
  if (!watched.has(plain)) watched.set(plain, stateOf(plain));
  return generation === 0 ? plain : `${plain}?${marker}=${generation}`;
}

/** Looks whether users' files have changed; those that did, and all the others, will be loaded anew. */
export function noticeChanges(): void {
  const changed = [...watched].some(([url, state]) => stateOf(url) !== state);
  if (!changed && !distrusted) return;
  generation++;
  distrusted = false;
  watched.clear();
}

/** Node remembers a failed import, and a file whose lack made it fail is not watched: the next load starts anew. */
export function distrust(): void {
  distrusted = true;
}

function stateOf(url: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(fileURLToPath(url));
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'gone';
  }
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}
