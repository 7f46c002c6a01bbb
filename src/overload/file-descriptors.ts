import { readFileSync } from 'node:fs';

/** Files that the process itself, the admin and its probes, logs and reloads need open. */
const own = 64;

/**
 * Client connections that leave room for as many to the app, and for the operators: whoever may not open files can
 * neither serve nor be asked why.
 * @param limit most open files of the process
 */
export function connectionsWithin(limit: number): number {
  return Math.max(8, Math.floor((limit - own) / 2));
}

/** Most files that this process may open; Infinity where nobody says. */
export function maxOpenFiles(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
