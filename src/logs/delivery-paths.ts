import type { DeliveryConfig, OutputConfig } from './delivery/config.ts';

type Resolve = (path: string) => string;

/** The configuration of delivery with all its paths absolute: they are written relative to the file they stand in. */
export function withAbsolutePaths<Config extends DeliveryConfig>(config: Config, resolve: Resolve): Config {
  const { buffer, dead_letter: deadLetter } = config;
  return {
    ...config,
    output: outputPaths(config.output, resolve),
    buffer: buffer.kind === 'disk' ? { ...buffer, path: resolve(buffer.path) } : buffer,
    dead_letter: deadLetter === undefined ? undefined : { ...deadLetter, path: resolve(deadLetter.path) },
  };
}

function outputPaths(output: OutputConfig, resolve: Resolve): OutputConfig {
  if (output.kind === 'stdout') return output;
  if (output.kind === 'file') return { ...output, path: resolve(output.path) };
  const { auth, tls } = output;
  return {
    ...output,
    tls: members(tls, ['ca', 'certificate', 'private_key'], resolve),
    auth: auth === undefined ? undefined : members(auth, ['token_file', 'password_file', 'api_key_file'], resolve),
  };
}

/** The object with those of the named members that it has made absolute. */
function members<T extends object>(from: T, names: readonly string[], resolve: Resolve): T {
  const resolved = { ...from } as Record<string, unknown>;
  for (const name of names) {
    const path = resolved[name];
    if (typeof path === 'string') resolved[name] = resolve(path);
  }
  return resolved as T;
}

/** A file or folder that two deliveries must not write at the same time; undefined when they share none. */
export function sharedPath(before: DeliveryConfig, after: DeliveryConfig): string | undefined {
  if (before.buffer.kind === 'disk' && after.buffer.kind === 'disk' && before.buffer.path === after.buffer.path)
    return before.buffer.path;
  if (before.output.kind === 'file' && after.output.kind === 'file' && before.output.path === after.output.path)
    return before.output.path;
  return undefined;
}
