export { createAdmin, type Admin, type AdminDeps } from './admin.ts';
export { adminSchema, type AdminConfig } from './config.ts';
export { adminEndpoints, type AdminEndpoint, type AdminParameter } from './endpoints.ts';
export { lifecycleEndpoints, type Lifecycle, type ReloadChanges, type ReloadReport } from './lifecycle.ts';
export { proxyEndpoints } from './proxy-endpoints.ts';
export { json, text, type AdminReply, type AdminRequest } from './reply.ts';
export type * from './view.ts';
