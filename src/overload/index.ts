export { overloadSchema, type OverloadConfig } from './config.ts';
export { Overload, type OverloadSources, type OverloadState } from './overload.ts';
