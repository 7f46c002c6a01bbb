import type * as v from 'valibot';
import type { AdminConfig, AdminEndpoint } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import type { Clock } from '../filter/define-filter.ts';
import type { ProcessLog, ProcessLogConfig } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';

/** The options that every role has, beside its own. */
export interface CommonConfig {
  readonly admin: AdminConfig;
  readonly log: ProcessLogConfig;
  readonly reload: { readonly watch: boolean; readonly poll_interval: number };
}

/** What the image can do beside the proxy: one role, one command, one container. */
export interface Role<Config extends CommonConfig = CommonConfig> {
  /** Of the command, and of the files in config/ that are generated for it. */
  readonly name: string;
  /** One sentence, for `portico --help`. */
  readonly doc: string;
  /** Everything a configuration file of this role may say; made with {@link roleSchema}. */
  readonly schema: v.GenericSchema<unknown, Config>;
  /** Flags of V8 that keep its heap small, set once it has started. */
  readonly v8Flags?: readonly string[];
  /** Sections of the generated reference beside the options, such as `## Parsers`. */
  readonly reference?: () => string;
  /**
   * What only the making finds, without effects that last: for `validate`.
   * @throws ConfigError for what is wrong with the configuration
   */
  check?(loaded: LoadedRoleConfig<Config>): Promise<void> | void;
  /**
   * Starts the work; resolves when it goes on by itself.
   * @throws ConfigError for what is wrong with the configuration, Error of one line for what else keeps it from starting
   */
  start(loaded: LoadedRoleConfig<Config>, parts: RoleParts): Promise<RunningRole<Config>>;
}

export interface RoleParts {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface RunningRole<Config extends CommonConfig = CommonConfig> {
  /** Rows of the admin. One with the path and method of a common row takes its place. */
  readonly endpoints?: readonly AdminEndpoint[];
  /** Files that the configuration depends on, beside those that it was read from; a change reloads. */
  files?(): Iterable<string>;
  /** Whether `/ready` may say 200. Without it, it does as long as the role runs. */
  ready?(): boolean;
  /** More for `/server_info`. */
  info?(): Readonly<Record<string, unknown>>;
  /**
   * Goes on with another configuration. Answers what takes effect at the next start only, a sentence each.
   * @throws ConfigError or Error, having changed nothing
   */
  reload(loaded: LoadedRoleConfig<Config>): Promise<readonly string[]>;
  /** Finishes what is to be finished, within bounds of its own. Answers the exit code: 1 when something was left. */
  drain(): Promise<number>;
  /** Stops at once. Called after `drain` as well. */
  stop(): Promise<void>;
}
