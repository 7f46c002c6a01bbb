/** Names of levels as records have them, from the least to the worst. */
export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof levels)[number];

const known: Readonly<Record<string, Level>> = {
  trace: 'trace',
  trc: 'trace',
  verbose: 'trace',
  finest: 'trace',
  debug: 'debug',
  dbg: 'debug',
  fine: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  informational: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  wrn: 'warn',
  error: 'error',
  err: 'error',
  severe: 'error',
  fatal: 'fatal',
  ftl: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  alert: 'fatal',
  emerg: 'fatal',
  emergency: 'fatal',
  panic: 'fatal',
  dpanic: 'fatal',
};

const names = new Map<string, Level>();
for (const [word, level] of Object.entries(known)) {
  names
    .set(word, level)
    .set(word.toUpperCase(), level)
    .set(word[0]!.toUpperCase() + word.slice(1), level);
}

/**
 * One name for what apps call their levels: `WARNING` is `warn`, and so is 40 (pino, bunyan). What is not known stays as it is.
 * Syslog's numbers from 0 to 7 are left alone, since other apps count upwards.
 */
export function normalLevel(value: unknown): unknown {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (typeof value !== 'number') return value;
  return value >= 10 && value <= 60 && value % 10 === 0 ? levels[value / 10 - 1] : value;
}

/** Place in {@link levels}, or -1. */
export function rankOf(value: unknown): number {
  return levels.indexOf(normalLevel(value) as Level);
}
