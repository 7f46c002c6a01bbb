import type { InputConfig } from './config.ts';

/** Whether an input leaves a path out that its patterns may match. */
export function excluded({ exclude }: InputConfig): (path: string) => boolean {
  return (path) => exclude.some(({ matches }) => matches(path));
}

/** Whether an input wants a path followed. */
export function asksFor(input: InputConfig, path: string): boolean {
  return input.paths.some((glob) => glob.matches(path)) && !excluded(input)(path);
}
