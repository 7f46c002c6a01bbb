export { inject, removeInjection, type Injected } from './inject.ts';
export { InjectError, type InjectFault } from './inject-error.ts';
export { defaultInjectOptions, type InjectOptions } from './options.ts';
export { adminPortOf, allRoles, roles, type Role, type RolePlan } from './role.ts';
