import type { OptionPath } from '../options/index.ts';
import { ConfigFile, type ConfigFileParts } from './config-file.ts';
import { schemaOf, type CheckedFilters, type ConfiguredFilter, type RouteOverrides } from './filters.ts';
import { rootSchema, type Config } from './schema.ts';
import { withDefaults } from './schema-walk.ts';

/** The proxy's configuration: it has passed its checks, is frozen, and knows the file it came from. */
export class LoadedConfig extends ConfigFile {
  readonly config: Config;
  readonly filters: readonly ConfiguredFilter[];
  readonly #overrides: CheckedFilters['overrides'];

  constructor(parts: ConfigFileParts, config: Config, checked: CheckedFilters) {
    super(parts);
    this.config = config;
    this.filters = checked.filters;
    this.#overrides = checked.overrides;
  }

  /** What a route wants otherwise of filters, by filter id. Indices are those of `config.virtual_hosts` and its `routes`. */
  overridesOf(virtualHost: number, route: number): RouteOverrides {
    return this.#overrides[virtualHost]?.[route] ?? new Map();
  }

  /** The effective configuration, defaults filled in, in the form a person writes; secrets are replaced. */
  dump(): unknown {
    const full = withDefaults(rootSchema, this.written(whole)) as { http_filters: { config: unknown }[] };
    for (const { definition, path } of this.filters) {
      const use = full.http_filters[path[1] as number]!;
      use.config = withDefaults(schemaOf(definition), use.config);
    }
    return this.redact(full);
  }
}

const whole: OptionPath = [];
