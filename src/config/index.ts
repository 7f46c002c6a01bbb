/** The composer: reads a file and holds it against the schemas of all rooms. No room imports this one. */
export type { ConfiguredFilter, FilterOverride, RouteOverrides } from './filters.ts';
export { redactedDump } from './dump.ts';
export { FileWatch } from './file-watch.ts';
export { InvalidConfig, loadConfig, parseConfig, type LoadOptions } from './load.ts';
export { describeFaults, LoadedConfig, type Position } from './loaded-config.ts';
export { rootSchema, type Config } from './schema.ts';
