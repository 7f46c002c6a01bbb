import type { Config } from './config/index.ts';
import { FileWatch } from './files/file-watch.ts';

export interface ServerWatchParts {
  readonly options: Config['reload'];
  configChanged(files: readonly string[]): void;
  certificatesChanged(files: readonly string[]): void;
  /** Asked at every look. */
  certificateFiles(): readonly string[];
}

type Files = ReadonlyMap<string, string | undefined>;

/** Follows the files of a running Portico: those of its configuration, and the certificates of its listeners. */
export class ServerWatch {
  readonly #parts: ServerWatchParts;
  #options: Config['reload'];
  #files: Files = new Map();
  #config: FileWatch;
  #certificates: FileWatch;

  constructor(parts: ServerWatchParts) {
    this.#parts = parts;
    this.#options = parts.options;
    this.#config = this.#watchConfig();
    this.#certificates = this.#watchCertificates();
  }

  /** @param files of the configuration, with the hash of what was read of them */
  async start(files: Files): Promise<void> {
    this.#files = files;
    this.#config.saw(files);
    await Promise.all([this.#options.watch ? this.#config.start() : undefined, this.#certificates.start()]);
  }

  /** A new configuration is in force. */
  now(files: Files, options: Config['reload']): void {
    this.#files = files;
    const { watch, poll_interval } = this.#options;
    if (watch === options.watch && poll_interval === options.poll_interval) return this.#config.saw(files);
    this.stop();
    this.#options = options;
    this.#config = this.#watchConfig();
    this.#certificates = this.#watchCertificates();
    void this.start(files);
  }

  /** A configuration was refused; a change of any of its files may make it good. */
  alsoWatch(files: Files): void {
    this.#files = new Map([...this.#files, ...files]);
    this.#config.saw(files);
  }

  stop(): void {
    this.#config.stop();
    this.#certificates.stop();
  }

  #watchConfig(): FileWatch {
    return new FileWatch({
      files: () => this.#files.keys(),
      interval: this.#options.poll_interval,
      changed: (files) => this.#parts.configChanged(files),
    });
  }

  #watchCertificates(): FileWatch {
    return new FileWatch({
      files: () => this.#parts.certificateFiles(),
      interval: this.#options.poll_interval,
      changed: (files) => this.#parts.certificatesChanged(files),
    });
  }
}
