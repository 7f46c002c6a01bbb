import { join } from 'node:path';
import type { AdminEndpoint } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import type { PodMetadata } from '../pod/index.ts';
import type { RoleParts, RunningRole } from '../role/index.ts';
import { createDelivery, deadLetterAt, deliverySchema, FileTurns, type Delivery } from './delivery/index.ts';
import { sharedPath, withAbsolutePaths } from './delivery-paths.ts';
import { logsEndpoints } from './logs-endpoints.ts';
import { compileProcessing, type ReadInput } from './processing.ts';
import type { LogsConfig } from './role-config.ts';
import { Shipping, type Destination } from './shipping.ts';

type Loaded = LoadedRoleConfig<LogsConfig>;

const deliveryOptions = Object.keys(deliverySchema.entries);

/** The log sidecar at work: files on one side, a store on the other. */
export class RunningLogs implements RunningRole<LogsConfig> {
  readonly endpoints: readonly AdminEndpoint[] = logsEndpoints({
    files: () => this.#shipping.show(),
    checkpointFailing: () => this.#shipping.checkpointFailing,
    delivery: () => this.#delivery.show(),
  });
  readonly #parts: RoleParts;
  readonly #pod: PodMetadata;
  /** A reload may leave two deliveries with one dead-letter file for a while. */
  readonly #turns = new FileTurns();
  #loaded: Loaded;
  #inputs: readonly ReadInput[] = [];
  #shipping!: Shipping;
  #delivery!: Delivery;

  private constructor(loaded: Loaded, pod: PodMetadata, parts: RoleParts) {
    this.#loaded = loaded;
    this.#pod = pod;
    this.#parts = parts;
  }

  /** @throws ConfigError, or Error of one line when the state folder, the disk buffer or the like cannot be used */
  static async start(loaded: Loaded, pod: PodMetadata, parts: RoleParts): Promise<RunningLogs> {
    const running = new RunningLogs(loaded, pod, parts);
    running.#shipping = await Shipping.start(absolute(loaded), running.#destination(loaded), parts);
    return running;
  }

  async reload(loaded: Loaded): Promise<readonly string[]> {
    const before = absolute(this.#loaded);
    const after = absolute(loaded);
    const changed = (options: readonly string[]) =>
      options.some((name) => JSON.stringify(loaded.written([name])) !== JSON.stringify(this.#loaded.written([name])));
    const notes: string[] = [];
    const asked = changed(deliveryOptions);
    // The former delivery goes on until it is empty; two must not write one file.
    const shared = asked ? sharedPath(before, after) : undefined;
    if (shared !== undefined)
      notes.push(
        `how records are delivered has changed, which takes effect at the next start, since both use ${shared}`,
      );
    if (changed(['pod'])) notes.push('pod has changed, which takes effect at the next start');
    if (before.state.folder !== after.state.folder)
      notes.push('state.folder has changed, which takes effect at the next start');
    await this.#shipping.configure(after, this.#destination(loaded), !asked || shared !== undefined);
    this.#loaded = loaded;
    return notes;
  }

  async drain(): Promise<number> {
    const { files } = await this.#shipping.drain();
    return files === 0 ? 0 : 1;
  }

  async stop(): Promise<void> {
    await this.#shipping.stop();
    this.#pod.stop();
  }

  /** @throws ConfigError */
  #destination(loaded: Loaded): Destination {
    const config = absolute(loaded);
    const { log, stats, clock, random } = this.#parts;
    // Records of inputs that a reload has removed may still be on their way.
    const former = this.#inputs.filter(({ name }) => !config.inputs.some((input) => input.name === name));
    const inputs = [...config.inputs, ...former];
    const process = compileProcessing(config, inputs, { pod: this.#pod, stats, random });
    this.#inputs = inputs;
    return {
      process,
      connect: async (acknowledged) => {
        this.#delivery = await createDelivery(config, { log, stats, clock, random, acknowledged, turns: this.#turns });
        return this.#delivery;
      },
    };
  }
}

/** Paths are written relative to the file they stand in. */
function absolute(loaded: Loaded): LogsConfig {
  const resolve = (path: string) => loaded.resolvePath(path);
  const { state, dead_letter: deadLetter, ...others } = withAbsolutePaths(loaded.config, resolve);
  const folder = resolve(state.folder);
  return {
    ...others,
    state: { ...state, folder },
    dead_letter: deadLetter ?? deadLetterAt(join(folder, 'dead-letter.ndjson')),
  };
}
