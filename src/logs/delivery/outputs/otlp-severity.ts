/** Numbers of the OpenTelemetry log data model by the words that loggers use. */
const byWord: Readonly<Record<string, number>> = {
  trace: 1,
  verbose: 1,
  finest: 1,
  debug: 5,
  fine: 5,
  info: 9,
  information: 9,
  informational: 9,
  notice: 10,
  warn: 13,
  warning: 13,
  error: 17,
  err: 17,
  severe: 17,
  critical: 21,
  crit: 21,
  fatal: 21,
  panic: 21,
  alert: 22,
  emerg: 23,
  emergency: 23,
};

/** Pino's and Bunyan's levels are numbers, 10 to 60 in tens. */
const byNumber = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The severity of a record by its `level`, `severity` or `log.level`; undefined when it has none that is known. */
export function severityOf(fields: Readonly<Record<string, unknown>>): { number: number; text: string } | undefined {
  const level = fields['level'] ?? fields['severity'] ?? fields['log.level'];
  if (typeof level === 'number') {
    const word = level % 10 === 0 ? byNumber[level / 10 - 1] : undefined;
    return word === undefined ? undefined : { number: byWord[word]!, text: word };
  }
  if (typeof level !== 'string') return undefined;
  const word = level.toLowerCase();
  return Object.hasOwn(byWord, word) ? { number: byWord[word]!, text: level } : undefined;
}
