/**
 * A line of the JSON process log as a person likes to read it:
 * `12:34:56.789 INFO  admin: listening  address=127.0.0.1:9090`
 */
export function prettyLogLine(json: string, colour: boolean): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return json;
  }
  const { time, level, logger, msg, ...fields } = record;
  const paint = colour ? paints : noPaints;
  const parts = [paint.dim(clock(time)), paint.level(text(level))];
  parts.push(`${logger === undefined ? '' : `${text(logger)}: `}${text(msg)}`);
  for (const [name, value] of Object.entries(fields)) parts.push(`${paint.dim(`${name}=`)}${field(value)}`);
  return `${parts.join(' ')}\n`;
}

const noPaints = { dim: (part: string) => part, level: (level: string) => level.toUpperCase().padEnd(5) };

const colours: Record<string, number> = { debug: 90, info: 32, warn: 33, error: 31 };
const paints = {
  dim: (part: string) => `\x1b[2m${part}\x1b[22m`,
  level: (level: string) => `\x1b[${colours[level] ?? 0}m${noPaints.level(level)}\x1b[39m`,
};

/** Local time; the day is known to whoever sits in front of the screen. */
function clock(time: unknown): string {
  const at = new Date(typeof time === 'string' ? time : NaN);
  if (Number.isNaN(at.getTime())) return '--:--:--.---';
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? visible(value) : (JSON.stringify(value) ?? '');
}

function field(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value && 'stack' in value) return failure(value);
  const shown = text(value);
  return /^[^\s"=]+$/.test(shown) ? shown : typeof value === 'string' ? JSON.stringify(value) : shown;
}

/** The message of an error and the place it was thrown at; the rest of the stack is in the JSON format. */
function failure(error: { message: unknown; stack: unknown }): string {
  const place = /\(?((?:file:\/\/)?\/[^\s()]+:\d+:\d+)\)?/.exec(text(error.stack))?.[1];
  return `${JSON.stringify(text(error.message))}${place === undefined ? '' : ` (${place.replace('file://', '')})`}`;
}

/** Text may come from a client; it must not move the cursor nor begin a new line. */
function visible(value: string): string {
  return value.replace(
    /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
