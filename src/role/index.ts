export type { CommonConfig, Role, RoleParts, RunningRole } from './role.ts';
export { roleSchema } from './role-schema.ts';
export { RoleServer } from './role-server.ts';
