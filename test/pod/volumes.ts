import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest, PodSpec, Volume } from '../support/manifests.ts';

export interface VolumeSources {
  /** ConfigMaps and Secrets, by name. */
  readonly configMaps: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Text of a field of the pod, such as metadata.labels. */
  field(path: string): string;
}

export function configMapsOf(manifests: readonly Manifest[]): VolumeSources['configMaps'] {
  return Object.fromEntries(
    manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata, data }) => [metadata.name, data ?? {}]),
  );
}

/** Lays the volumes of a pod as the kubelet does. Answers the folder of each, by name. */
export function layVolumes(folder: string, pod: PodSpec, sources: VolumeSources): ReadonlyMap<string, string> {
  return new Map(
    pod.volumes.map((volume) => {
      const path = join(folder, volume.name);
      mkdirSync(path, { recursive: true });
      fill(path, volume, pod.securityContext.fsGroup ?? 0, sources);
      return [volume.name, path];
    }),
  );
}

function fill(path: string, volume: Volume, group: number, sources: VolumeSources): void {
  if (volume.emptyDir !== undefined) {
    chownSync(path, 0, group);
    // Everybody may write, and new files belong to the group.
    chmodSync(path, 0o2777);
  } else if (volume.configMap !== undefined) {
    project(path, sources.configMaps[volume.configMap.name], 0o644, group);
  } else if (volume.secret !== undefined) {
    project(path, sources.secrets[volume.secret.secretName], volume.secret.defaultMode ?? 0o644, group);
  } else if (volume.downwardAPI !== undefined) {
    const files = volume.downwardAPI.items.map((item) => [item.path, sources.field(item.fieldRef.fieldPath)]);
    project(path, Object.fromEntries(files) as Record<string, string>, 0o644, group);
  } else {
    throw new Error(`a kind of volume that is not played: ${volume.name}`);
  }
}

/** Files behind a link to a folder that is exchanged as a whole: the kubelet's atomic writer. */
function project(path: string, files: Readonly<Record<string, string>> | undefined, mode: number, group: number): void {
  if (files === undefined) throw new Error(`nothing to fill ${path} with`);
  const version = '..2026_01_01';
  mkdirSync(join(path, version));
  for (const [name, text] of Object.entries(files)) {
    const file = join(path, version, name);
    writeFileSync(file, text);
    chownSync(file, 0, group);
    chmodSync(file, mode);
    symlinkSync(join('..data', name), join(path, name));
  }
  symlinkSync(version, join(path, '..data_new'));
  renameSync(join(path, '..data_new'), join(path, '..data'));
}
