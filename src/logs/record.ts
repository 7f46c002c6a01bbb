/** What the rooms of the logging sidecar hand to each other: a raw record is read, becomes a record, is delivered, is acknowledged. */

/** A file as it is followed: through renames it stays the same, after a truncation it is another one. */
export interface LogSource {
  /** Identifies the file for ever: made of its first bytes and its inode, never of its name. Goes into record ids. */
  readonly key: string;
  /** Where it was when it was last looked at. */
  readonly path: string;
  /** Name of the input in the configuration that found it. */
  readonly input: string;
}

/** What the container runtime has put before every line of an app's output; not part of the text. */
export interface CriPrefix {
  /** RFC 3339 with up to nanoseconds, as it stands in the file: that of the first line of the record. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
}

/** One or several lines of a file that belong together, undecoded as to their meaning. */
export interface RawRecord {
  readonly source: LogSource;
  /**
   * Offset in bytes of the first byte, and of the byte after the line end of the last line. No two records of a source end
   * at the same place; with two streams in one file, records may overlap and come out of the order of their ends.
   */
  readonly start: number;
  readonly end: number;
  /** Without the last line end. Bytes that are not UTF-8 stand as `\xNN`, and `escaped` says so. */
  readonly text: string;
  readonly escaped: boolean;
  /** Bytes that were cut because the record was longer than allowed; 0 when it is whole. */
  readonly cut: number;
  /** When it was read, milliseconds since 1970. */
  readonly readAt: number;
  /** Given for inputs with `format: cri`, except for lines that are not of that format. */
  readonly cri?: CriPrefix | undefined;
}

/** A record on its way to the store. */
export interface LogRecord {
  readonly source: LogSource;
  readonly start: number;
  readonly end: number;
  /** When it happened as the app says, or else when it was read: milliseconds since 1970, and nanoseconds from 0 to 999,999 within. */
  time: number;
  nanos: number;
  /** What is shipped: `message`, what was parsed, what was added. Plain JSON values. The time is not among them. */
  readonly fields: Record<string, unknown>;
}

/** The same text for the same record whenever it is sent, so that a store can tell a repeat: source and offset. */
export function recordId({ source, start }: LogRecord): string {
  return `${source.key}-${start.toString(36)}`;
}
