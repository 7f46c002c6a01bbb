import type * as v from 'valibot';
import { ConfigFile, type ConfigFileParts } from './config-file.ts';
import { withDefaults } from './schema-walk.ts';

/** The configuration of a role that is not the proxy: it has passed its checks, is frozen, and knows the file it came from. */
export class LoadedRoleConfig<Config> extends ConfigFile {
  readonly config: Config;
  readonly #schema: v.GenericSchema;

  constructor(parts: ConfigFileParts, config: Config, schema: v.GenericSchema) {
    super(parts);
    this.config = config;
    this.#schema = schema;
  }

  /** The effective configuration, defaults filled in, in the form a person writes; secrets are replaced. */
  dump(): unknown {
    return this.redact(withDefaults(this.#schema, this.written([])));
  }
}
