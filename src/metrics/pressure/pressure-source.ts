import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FamilySource, FamilySourceDeps } from '../family-source.ts';
import { ownFamily } from '../own-family.ts';
import { FollowedProcess } from '../process/followed-process.ts';
import { ProcFolder } from '../process/proc-folder.ts';
import { TellOnce } from '../tell-once.ts';
import type { PressureConfig } from './config.ts';
import { groupFamilies, groupValues, type GroupValues } from './group-values.ts';

/** How much control groups use of what they may, and how long they had to wait for more. */
export function createPressureSource(config: PressureConfig, { log }: Pick<FamilySourceDeps, 'log'>): FamilySource {
  const once = new TellOnce(log);
  const groups = config.groups.map(({ name, path, process }) => ({
    name,
    folder:
      process === undefined
        ? () => path
        : folderOfProcess(config.proc, path, new FollowedProcess(new ProcFolder(config.proc, () => {}), process)),
  }));
  return {
    name: 'pressure',
    families() {
      const byGroup: [name: string, values: GroupValues][] = [];
      for (const { name, folder } of groups) {
        const path = folder();
        const values = groupValues((file) => (path === undefined ? undefined : textOf(join(path, file))));
        if (values.size === 0) once.warn(name, 'the control group cannot be read', { group: name, path });
        else once.well(name);
        byGroup.push([name, values]);
      }
      return groupFamilies
        .map(([name, type, help]) =>
          ownFamily(
            type,
            name,
            help,
            byGroup.flatMap(([group, values]) =>
              (values.get(name) ?? []).map(([labels, value]) => [['group', group, ...labels], value] as const),
            ),
          ),
        )
        .filter(({ samples }) => samples.length > 0);
    },
    async close() {},
  };
}

function folderOfProcess(proc: string, path: string, process: FollowedProcess): () => string | undefined {
  return () => {
    const found = process.look();
    return found && join(proc, String(found.pid), 'root', path);
  };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
