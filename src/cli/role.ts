import { resolve } from 'node:path';
import { describeFaults } from '../config/config-file.ts';
import { loadRoleConfig } from '../config/load-role.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import { ConfigError } from '../options/index.ts';
import { RoleServer, type CommonConfig, type Role } from '../role/index.ts';
import { complain, say, type Command } from './command.ts';
import { untilSignalled } from './until-signalled.ts';

/** The command that runs a role. */
export function roleCommand(role: Role): Command {
  return {
    name: role.name,
    doc: role.doc,
    options: {
      config: { type: 'string', short: 'c', value: 'FILE', doc: 'The configuration.' },
    },
    run({ config: file }) {
      if (typeof file !== 'string') {
        complain(`portico ${role.name}: which configuration? Write -c FILE`);
        return Promise.resolve(2);
      }
      return withConfig(role, file, async (loaded) => {
        const server = await RoleServer.start(role, loaded);
        // First, so that whoever reads the line may send a signal.
        const ended = untilSignalled(server, { reloads: true, v8Flags: role.v8Flags });
        server.log.info('running', { role: role.name, listeners: server.listening(), config: resolve(file) });
        return ended;
      });
    },
  };
}

/** What `validate` does for a role. */
export function validateRole(role: Role, file: string): Promise<number> {
  return withConfig(role, file, async (loaded) => {
    await role.check?.(loaded);
    say(`${file} is good`);
    return 0;
  });
}

/** Answers the exit code of `use`, or 2 after telling what is wrong with the configuration. */
async function withConfig(
  role: Role,
  file: string,
  use: (loaded: LoadedRoleConfig<CommonConfig>) => Promise<number>,
): Promise<number> {
  let loaded: LoadedRoleConfig<CommonConfig> | undefined;
  try {
    loaded = await loadRoleConfig(role.schema, file);
    return await use(loaded);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = loaded === undefined ? [error.message] : describeFaults(error, loaded);
    lines.forEach(complain);
    return 2;
  }
}
