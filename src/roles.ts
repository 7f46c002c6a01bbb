import type { Role } from './role/role.ts';

/** What the image can do beside the proxy, by the name of the command. Each is loaded when it is needed, and loads nothing of the others. */
export const roles: Readonly<Record<string, () => Promise<Role>>> = {
  logs: async () => (await import('./logs/role.ts')).logs,
  metrics: async () => (await import('./metrics/role.ts')).metrics,
};
