/** The composer of the proxy: reads a file and holds it against the schemas of all rooms. No room imports this one. */
export type { ConfiguredFilter, FilterOverride, RouteOverrides } from './filters.ts';
export { describeFaults, type Position } from './config-file.ts';
export { redactedDump } from './dump.ts';
export { loadConfig, parseConfig } from './load.ts';
export { LoadedConfig } from './loaded-config.ts';
export { InvalidConfig, type LoadOptions } from './read-config.ts';
export { rootSchema, type Config } from './schema.ts';
