/** What the process says about itself, on standard error; requests are told by the access log. */
import pino, { type Logger } from 'pino';
import sonicBoom, { type SonicBoom } from 'sonic-boom';
import * as v from 'valibot';
import type { FilterLog } from './filter/define-filter.ts';
import { doc } from './options/index.ts';
import { prettyLogLine } from './pretty-log-line.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof logLevels)[number];

export function isLogLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}

export const processLogSchema = v.strictObject({
  level: v.optional(
    doc(
      'Least severity that is written: debug, info, warn, error, or off. POST /logging?level= on the admin changes it while running.',
      v.picklist(logLevels, `must be one of ${logLevels.join(', ')}`),
    ),
    'info',
  ),
  format: v.optional(
    doc(
      'json writes an object a line for machines; pretty writes a line for people.',
      v.picklist(['json', 'pretty'], 'must be json or pretty'),
    ),
    'json',
  ),
});
export type ProcessLogConfig = v.InferOutput<typeof processLogSchema>;

export interface ProcessLog extends FilterLog {
  /** One level for the log and all its children. */
  level: LogLevel;
  /** The same log, whose lines carry a name: `child('admin')` writes `"logger":"admin"`. */
  child(name: string): ProcessLog;
  /** Lines thrown away because nobody took them in time. */
  readonly dropped: number;
  /** Resolves when all is written, or after so many milliseconds (default 1000). Never rejects. */
  flush(milliseconds?: number): Promise<void>;
  /** For the last words before the process ends: writes what waits, for at most 200 ms. */
  flushNow(): void;
}

export interface ProcessLogOptions extends ProcessLogConfig {
  /** Stand in every line. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** File descriptor, 2 (standard error) unless a test says otherwise. */
  readonly fd?: number;
  readonly colour?: boolean;
  /** Told for every line that was thrown away. */
  readonly onDrop?: () => void;
}

/** Bytes that wait for a slow reader before lines are dropped: a blocked terminal must cost neither time nor memory. */
const mostWaiting = 1024 * 1024;

const severity: Record<LogLevel, number> = { debug: 20, info: 30, warn: 40, error: 50, off: Infinity };

/** Writing happens aside, in the order of the calls. Nothing that is called here ever throws. */
export function createProcessLog(options: ProcessLogOptions): ProcessLog {
  const sink = new LogSink(options);
  const { format, colour = false } = options;
  const destination =
    format === 'pretty'
      ? { write: (line: string) => sink.write(prettyLogLine(line, colour)) }
      : { write: (line: string) => sink.write(line) };
  const logger = pino(
    {
      // Severity is decided by `Log`, because children of pino keep the level they were born with.
      level: 'debug',
      base: options.fields ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    },
    destination,
  );
  return new Log(logger, sink, { level: options.level });
}

class Log implements ProcessLog {
  readonly #logger: Logger;
  readonly #sink: LogSink;
  readonly #shared: { level: LogLevel };

  constructor(logger: Logger, sink: LogSink, shared: { level: LogLevel }) {
    this.#logger = logger;
    this.#sink = sink;
    this.#shared = shared;
  }

  get level(): LogLevel {
    return this.#shared.level;
  }

  set level(level: LogLevel) {
    this.#shared.level = level;
  }

  get dropped(): number {
    return this.#sink.dropped;
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#write('error', message, fields);
  }

  child(name: string): ProcessLog {
    return new Log(this.#logger.child({ logger: name }), this.#sink, this.#shared);
  }

  flush(milliseconds = 1000): Promise<void> {
    return this.#sink.flush(milliseconds);
  }

  flushNow(): void {
    this.#sink.flushNow();
  }

  #write(
    level: 'debug' | 'info' | 'warn' | 'error',
    message: string,
    fields: Record<string, unknown> | undefined,
  ): void {
    if (severity[level] < severity[this.#shared.level]) return;
    try {
      if (fields === undefined) this.#logger[level](message);
      else this.#logger[level](withoutReserved(fields), message);
    } catch (error) {
      // A field whose getter or toJSON throws: the message matters more.
      this.#sink.write(`${JSON.stringify({ level, msg: message, fields_lost: String(error) })}\n`);
    }
  }
}

const reserved = ['time', 'level', 'msg', 'logger'];

/** Names that the line itself uses would be there twice, and readers of JSON disagree about which one counts. */
function withoutReserved(fields: Record<string, unknown>): Record<string, unknown> {
  if (!reserved.some((name) => name in fields)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [reserved.includes(name) ? `${name}_` : name, value]),
  );
}

class LogSink {
  readonly #stream: SonicBoom;
  readonly #onDrop: (() => void) | undefined;
  #dropped = 0;
  /** `performance.now()` until which a full pipe is tried again; Infinity while the process runs. */
  #patience = Infinity;

  constructor({ fd = 2, onDrop }: ProcessLogOptions) {
    this.#onDrop = onDrop;
    this.#stream = new sonicBoom.SonicBoom({
      fd,
      sync: false,
      maxLength: mostWaiting,
      retryEAGAIN: () => performance.now() < this.#patience,
    });
    this.#stream.on('drop', () => this.#drop());
    // EPIPE, EIO: whoever read the log has left. What waits is tried again with the next line, until there is too much.
    this.#stream.on('error', () => {});
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    try {
      this.#stream.write(line);
    } catch {
      this.#drop();
    }
  }

  async flush(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    const written = new Promise<void>((resolve) => {
      try {
        this.#stream.flush(() => resolve());
      } catch {
        resolve();
      }
    });
    await Promise.race([written, enough]);
    clearTimeout(timer);
  }

  flushNow(): void {
    this.#patience = performance.now() + 200;
    try {
      this.#stream.flushSync();
    } catch {
      // Nobody reads: the last words are lost.
    } finally {
      this.#patience = Infinity;
    }
  }

  #drop(): void {
    this.#dropped++;
    this.#onDrop?.();
  }
}
