import { join } from 'node:path';
import { json } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import { PodMetadata } from '../pod/index.ts';
import type { Role, RoleParts, RunningRole } from '../role/index.ts';
import { Stats } from '../stats/index.ts';
import { createDelivery, deadLetterAt, deliverySchema, type Delivery } from './delivery/index.ts';
import { compileProcessing, type ReadInput } from './processing.ts';
import { logsSchema, type LogsConfig } from './role-config.ts';
import { Shipping, type Destination } from './shipping.ts';

type Loaded = LoadedRoleConfig<LogsConfig>;

/** `portico logs`: follows the files of the app and ships what is in them. */
export const logs: Role<LogsConfig> = {
  name: 'logs',
  doc: 'Ships the log files of the app to a store, each line at least once, until SIGTERM.',
  schema: logsSchema,
  async check(loaded) {
    const pod = await startPod(loaded);
    pod.stop();
    const { config } = loaded;
    compileProcessing(config, config.inputs, { pod, stats: new Stats(), random: Math.random });
  },
  async start(loaded, parts) {
    const pod = await startPod(loaded);
    try {
      const running = new RunningLogs(loaded, pod, parts);
      await running.start();
      return running;
    } catch (error) {
      pod.stop();
      throw error;
    }
  },
};

function startPod(loaded: Loaded): Promise<PodMetadata> {
  return PodMetadata.start(loaded.config.pod, {
    environment: process.env,
    resolvePath: (path) => loaded.resolvePath(path),
  });
}

class RunningLogs implements RunningRole<LogsConfig> {
  readonly endpoints: NonNullable<RunningRole['endpoints']> = [
    {
      path: '/files',
      doc: 'Files that are followed: how large they are, how far they are read and acknowledged.',
      mutates: false,
      render: () =>
        json({ files: this.#shipping.show(), checkpoint_failing: this.#shipping.checkpointFailing ?? null }),
    },
    {
      path: '/delivery',
      doc: 'What is on its way to the store, and how the store answers.',
      mutates: false,
      render: () => json(this.#delivery.show()),
    },
  ];
  readonly #parts: RoleParts;
  readonly #pod: PodMetadata;
  #loaded: Loaded;
  #inputs: readonly ReadInput[] = [];
  #shipping!: Shipping;
  #delivery!: Delivery;

  constructor(loaded: Loaded, pod: PodMetadata, parts: RoleParts) {
    this.#loaded = loaded;
    this.#pod = pod;
    this.#parts = parts;
  }

  async start(): Promise<void> {
    this.#shipping = await Shipping.start(this.#reading(this.#loaded), this.#destination(this.#loaded), this.#parts);
  }

  async reload(loaded: Loaded): Promise<readonly string[]> {
    const changed = (...options: string[]) =>
      options.some(
        (option) => JSON.stringify(loaded.written([option])) !== JSON.stringify(this.#loaded.written([option])),
      );
    const notes: string[] = [];
    const delivered = changed(...Object.keys(deliverySchema.entries));
    // Two cannot have one buffer on disk, and what is in it is the former's.
    const stays = delivered && sameDisk(this.#loaded.config, loaded.config);
    if (stays)
      notes.push(
        'where records go has changed, which takes effect at the next start, since the disk buffer stays the same',
      );
    if (changed('pod')) notes.push('pod has changed, which takes effect at the next start');
    if (loaded.config.state.folder !== this.#loaded.config.state.folder) {
      notes.push('state.folder has changed, which takes effect at the next start');
    }
    await this.#shipping.configure(this.#reading(loaded), this.#destination(loaded), !delivered || stays);
    this.#loaded = loaded;
    return notes;
  }

  async drain(): Promise<number> {
    const left = await this.#shipping.drain();
    return left.files === 0 ? 0 : 1;
  }

  async stop(): Promise<void> {
    await this.#shipping.stop();
    this.#pod.stop();
  }

  #reading(loaded: Loaded): LogsConfig {
    const { config } = loaded;
    return { ...config, state: { ...config.state, folder: loaded.resolvePath(config.state.folder) } };
  }

  /** @throws ConfigError */
  #destination(loaded: Loaded): Destination {
    const { config } = loaded;
    const { log, stats, clock, random } = this.#parts;
    // Records of inputs that a reload has removed may still be on their way.
    const former = this.#inputs.filter(({ name }) => !config.inputs.some((input) => input.name === name));
    const inputs = [...config.inputs, ...former];
    const process = compileProcessing(config, inputs, { pod: this.#pod, stats, random });
    this.#inputs = inputs;
    return {
      process,
      connect: async (acknowledged) => {
        const { dead_letter = deadLetterAt(join(loaded.resolvePath(config.state.folder), 'dead-letter.ndjson')) } =
          config;
        const deps = { log, stats, clock, random, acknowledged };
        this.#delivery = await createDelivery({ ...config, dead_letter }, deps);
        return this.#delivery;
      },
    };
  }
}

function sameDisk({ buffer: before }: LogsConfig, { buffer: after }: LogsConfig): boolean {
  return before.kind === 'disk' && after.kind === 'disk' && before.path === after.path;
}
