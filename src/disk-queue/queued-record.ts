export interface QueuedRecord {
  /** Grows by one from record to record, also over restarts. */
  readonly sequence: number;
  readonly bytes: Buffer;
}

export interface QueueDepth {
  /** Records that are not acknowledged. */
  readonly records: number;
  /** What the files take. */
  readonly bytes: number;
  readonly files: number;
  /** When the file was begun that has the first record that is not acknowledged, milliseconds since 1970. */
  readonly since: number | undefined;
}
