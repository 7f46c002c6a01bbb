import type { Headers } from '../http/index.ts';
import type { HeaderEditsConfig } from './config.ts';

export type HeaderEdits = (headers: Headers) => void;

/**
 * Compiles edits into one function; undefined when there is nothing to do. Those given later are applied later, so the
 * more specific one goes last. Within one: remove, set, add_if_absent, append.
 */
export function compileHeaderEdits(...configs: readonly HeaderEditsConfig[]): HeaderEdits | undefined {
  const steps = configs.flatMap(stepsOf);
  if (steps.length === 0) return undefined;
  return function editHeaders(headers) {
    for (const step of steps) step(headers);
  };
}

function stepsOf(config: HeaderEditsConfig): HeaderEdits[] {
  const steps: HeaderEdits[] = [];
  for (const name of config.remove) steps.push((headers) => void headers.delete(name));
  for (const [name, value] of Object.entries(config.set)) steps.push((headers) => headers.set(name, value));
  for (const [name, value] of Object.entries(config.add_if_absent)) {
    steps.push((headers) => {
      if (!headers.has(name)) headers.append(name, value);
    });
  }
  for (const [name, values] of Object.entries(config.append)) {
    for (const value of values) steps.push((headers) => headers.append(name, value));
  }
  return steps;
}
