import { readText } from '../files/read-text.ts';
import { FileWatch } from '../files/file-watch.ts';
import type { PodConfig } from './config.ts';
import { parseMetadata } from './parse-metadata.ts';

/** What is known of the pod at one time. What is not known is left out. */
export interface PodSnapshot {
  /** Another number for another content: who makes something of it makes it once for each. */
  readonly version: number;
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly uid: string | undefined;
  readonly ip: string | undefined;
  readonly node: string | undefined;
  readonly container: string | undefined;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface PodMetadataParts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Makes a path of the configuration absolute. */
  readonly resolvePath: (path: string) => string;
}

/** The pod that this process is in, as the downward API tells. Labels and annotations may change while it runs. */
export class PodMetadata {
  readonly #config: PodConfig;
  readonly #files: { readonly labels: string; readonly annotations: string };
  readonly #watch: FileWatch;
  #current: PodSnapshot;
  #stopped = false;

  private constructor(config: PodConfig, { environment, resolvePath }: PodMetadataParts) {
    this.#config = config;
    this.#files = { labels: resolvePath(config.labels_file), annotations: resolvePath(config.annotations_file) };
    const told = (variable: string) => environment[variable] || undefined;
    this.#current = {
      version: 0,
      name: told(config.name_variable),
      namespace: told(config.namespace_variable),
      uid: told(config.uid_variable),
      ip: told(config.ip_variable),
      node: told(config.node_variable),
      container: told(config.container_variable),
      labels: new Map(),
      annotations: new Map(),
    };
    this.#watch = new FileWatch({
      files: () => Object.values(this.#files),
      interval: config.poll_interval,
      changed: () => void this.#read(),
    });
  }

  /** Reads the files, and follows them until it is stopped. Files that are not there, or cannot be read, say nothing. */
  static async start(config: PodConfig, parts: PodMetadataParts): Promise<PodMetadata> {
    const metadata = new PodMetadata(config, parts);
    await metadata.#watch.start();
    await metadata.#read();
    return metadata;
  }

  get current(): PodSnapshot {
    return this.#current;
  }

  stop(): void {
    this.#stopped = true;
    this.#watch.stop();
  }

  async #read(): Promise<void> {
    const [labels, annotations] = await Promise.all([
      entriesOf(this.#files.labels, this.#config.labels),
      entriesOf(this.#files.annotations, this.#config.annotations),
    ]);
    if (this.#stopped) return;
    this.#current = { ...this.#current, version: this.#current.version + 1, labels, annotations };
  }
}

async function entriesOf(file: string, wanted: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (wanted.length === 0) return new Map();
  const text = await readText(file, { regularOnly: true }).then(
    (read) => read.text,
    () => '',
  );
  return new Map([...parseMetadata(text)].filter(([key]) => wanted.some((pattern) => matches(key, pattern))));
}

function matches(key: string, pattern: string): boolean {
  return pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern;
}
