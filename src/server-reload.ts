/** What a reload looks at, apart from what runs. */
import { fingerprint } from './assemble/fingerprint.ts';
import { clusterFiles } from './assemble/routing.ts';
import type { LoadedConfig } from './config/index.ts';

/** All files whose change may change what the configuration means. */
export function watchedFiles(loaded: LoadedConfig): Map<string, string | undefined> {
  const files = new Map(loaded.files);
  const tls = loaded.config.clusters.flatMap(clusterFiles).map((path) => loaded.resolvePath(path));
  for (const path of tls) files.set(path, undefined);
  return files;
}

/** Options that only a start can apply. */
export function restartNotes(before: LoadedConfig, after: LoadedConfig): string[] {
  const options = [['admin'], ['workers'], ['log', 'format'], ['reload', 'sample_requests']];
  return options
    .filter((path) => fingerprint(before.written(path) ?? null) !== fingerprint(after.written(path) ?? null))
    .map((path) => `${path.join('.')} has changed, which takes effect at the next start`);
}
