import { ConfigError } from '../options/index.ts';
import type { LoadedConfig } from '../config/index.ts';
import { roles } from '../roles.ts';
import { complain, roleOption, say, type Command } from './command.ts';

export const validate: Command = {
  name: 'validate',
  doc: 'Checks a configuration as `run` does at its start, and tells everything that is wrong with it.',
  options: {
    config: { type: 'string', short: 'c', value: 'FILE', doc: 'The configuration.' },
    role: roleOption,
  },
  async run({ config: file, role }) {
    if (typeof file !== 'string') {
      complain('portico validate: which configuration? Write -c FILE');
      return 2;
    }
    if (typeof role === 'string') {
      const load = roles[role];
      if (load !== undefined) return (await import('./role.ts')).validateRole(await load(), file);
      complain(`portico validate: there is no role ${role}; there are ${Object.keys(roles).join(', ')}`);
      return 2;
    }
    const { loadConfig, describeFaults } = await import('../config/index.ts');
    let loaded: LoadedConfig | undefined;
    try {
      loaded = await loadConfig(file);
      await assembleAndClose(loaded);
      say(`${file} is good: ${counted(loaded.config)}`);
      return 0;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const lines = loaded === undefined ? [error.message] : describeFaults(error, loaded);
      lines.forEach(complain);
      return 2;
    }
  },
};

/** What only the making finds: unknown clusters, keys that do not fit their certificates. */
async function assembleAndClose(loaded: LoadedConfig): Promise<void> {
  const [{ assemble }, { createProcessLog }, { Stats }] = await Promise.all([
    import('../assemble.ts'),
    import('../process-log.ts'),
    import('../stats/index.ts'),
  ]);
  const { routing, listeners } = await assemble(loaded, {
    log: createProcessLog({ level: 'off', format: 'json' }),
    stats: new Stats(),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    random: Math.random,
  });
  for (const listener of listeners) await listener.close(0);
  await routing.close();
}

type Countable = 'listeners' | 'http_filters' | 'virtual_hosts' | 'clusters';

function counted(config: Readonly<Record<Countable, readonly unknown[]>>): string {
  const kinds: Countable[] = ['listeners', 'http_filters', 'virtual_hosts', 'clusters'];
  return kinds
    .map((kind) => {
      const { length } = config[kind];
      const words = kind.replace('_', ' ');
      return `${length} ${length === 1 ? words.slice(0, -1) : words}`;
    })
    .join(', ');
}
