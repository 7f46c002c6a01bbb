import { roles } from '../roles.ts';
import type { Command } from './command.ts';

/** The commands, in the order of the help. Each is loaded when it is needed. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  ...Object.fromEntries(
    Object.entries(roles).map(([name, load]) => [
      name,
      async () => (await import('./role.ts')).roleCommand(await load()),
    ]),
  ),
  demo: async () => (await import('./demo.ts')).demo,
  validate: async () => (await import('./validate.ts')).validate,
  schema: async () => (await import('./schema.ts')).schema,
  wait: async () => (await import('./wait.ts')).wait,
  reload: async () => (await import('./reload.ts')).reload,
  inject: async () => (await import('./inject.ts')).inject,
  certs: async () => (await import('./certs.ts')).certs,
  conformance: async () => (await import('./conformance.ts')).conformance,
};
