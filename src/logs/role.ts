import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import { PodMetadata } from '../pod/index.ts';
import type { Role } from '../role/index.ts';
import { Stats } from '../stats/index.ts';
import { compileProcessing } from './processing.ts';
import { logsSchema, type LogsConfig } from './role-config.ts';
import { RunningLogs } from './running-logs.ts';

/** `portico logs`: follows the files of the app and ships what is in them. */
export const logs: Role<LogsConfig> = {
  name: 'logs',
  doc: 'Ships the log files of the app to a store, each line at least once.',
  schema: logsSchema,
  // Records live for about a second, until they are acknowledged: long enough to be old for V8, which lets a heap double before
  // it collects the old ones. Measured: 80 MB less for half as much CPU again (bench/logs.ts).
  v8Flags: ['--heap-growing-percent=20'],
  async check(loaded) {
    const pod = await startPod(loaded);
    pod.stop();
    const { config } = loaded;
    compileProcessing(config, config.inputs, { pod, stats: new Stats(), random: Math.random });
  },
  async start(loaded, parts) {
    const pod = await startPod(loaded);
    try {
      return await RunningLogs.start(loaded, pod, parts);
    } catch (error) {
      pod.stop();
      throw error;
    }
  },
};

function startPod(loaded: LoadedRoleConfig<LogsConfig>): Promise<PodMetadata> {
  return PodMetadata.start(loaded.config.pod, {
    environment: process.env,
    resolvePath: (path) => loaded.resolvePath(path),
  });
}
