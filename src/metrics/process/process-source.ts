import type { FamilySource, FamilySourceDeps } from '../family-source.ts';
import type { MetricFamily } from '../family.ts';
import { ownFamily, ownSample } from '../own-family.ts';
import { TellOnce } from '../tell-once.ts';
import type { ProcessConfig } from './config.ts';
import { FollowedProcess } from './followed-process.ts';
import { ProcFolder } from './proc-folder.ts';
import { processValues } from './process-values.ts';

/** Metrics of the app's process, as the kernel tells them to those who share its process namespace. */
export function createProcessSource(config: ProcessConfig, { log }: Pick<FamilySourceDeps, 'log'>): FamilySource {
  const once = new TellOnce(log);
  const processes = config.processes.map(({ name, find, proportional_memory: proportionalMemory }) => {
    const proc = new ProcFolder(config.proc, (file) =>
      once.warn(`${name} ${file}`, `/proc/PID/${file} may not be read: its metrics are missing`, { process: name }),
    );
    return { name, proc, followed: new FollowedProcess(proc, find), proportionalMemory };
  });
  return {
    name: 'process',
    families() {
      const families = new Map<string, MetricFamily>();
      const up = ownFamily('gauge', 'portico_app_process_up', 'Whether the process was found.', []);
      families.set(up.name, up);
      for (const { name, proc, followed, proportionalMemory } of processes) {
        const found = followed.look();
        up.samples.push(ownSample(up.name, ['process', name], found === undefined ? 0 : 1));
        if (found === undefined) {
          once.warn(name, 'the process of the app is not found; the pod needs shareProcessNamespace: true', {
            process: name,
          });
          continue;
        }
        once.well(name);
        for (const each of processValues(proc, found.pid, found.stat, { proportionalMemory })) {
          if (each.value === undefined) continue;
          let family = families.get(each.name);
          if (family === undefined) families.set(each.name, (family = ownFamily(each.type, each.name, each.help, [])));
          family.samples.push(ownSample(each.name, ['process', name, ...(each.labels ?? [])], each.value));
        }
      }
      return [...families.values()];
    },
    async close() {},
  };
}
