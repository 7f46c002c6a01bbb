/** From a raw record to one that is shipped: read, lift ids, judge, redact, add. */
import type { PodMetadata } from '../pod/index.ts';
import type { CounterHandle, Stats } from '../stats/index.ts';
import { compileEnrich } from './enrich/compile-enrich.ts';
import { compileParser } from './parse/compile-parser.ts';
import type { ParserConfig } from './parse/config.ts';
import type { Parse, Parsed } from './parse/parsed.ts';
import { setAside } from './parse/set-field.ts';
import type { ProcessingConfig } from './processing-config.ts';
import type { LogRecord, RawRecord } from './record.ts';
import { compileRedact } from './redact/compile-redact.ts';
import { compileRules } from './rules/compile-rules.ts';
import { parseRfc3339 } from './time/rfc3339.ts';
import { compileZone } from './time/time-zone.ts';

export interface ProcessingParts {
  readonly pod: PodMetadata;
  readonly stats: Stats;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** An input's name, and how its records are read. */
export interface ReadInput {
  readonly name: string;
  readonly parser: ParserConfig;
}

const utc = compileZone('UTC');

/**
 * Compiles what is made of records. The function that is returned answers undefined for those that a rule drops.
 * @throws ConfigError
 */
export function compileProcessing(
  config: Omit<ProcessingConfig, 'pod'>,
  inputs: readonly ReadInput[],
  { pod, stats, random }: ProcessingParts,
): (raw: RawRecord) => LogRecord | undefined {
  const failures = stats.counter('portico_logs_parse_failures_total', 'Records shipped unparsed, by input.', ['input']);
  const parsers = new Map<string, { readonly parse: Parse; readonly failed: CounterHandle }>();
  for (const { name, parser } of inputs)
    parsers.set(name, { parse: compileParser(parser), failed: failures.with({ input: name }) });
  const enrich = compileEnrich(config.enrich, pod);
  const judge = config.rules.length === 0 ? undefined : compileRules(config.rules, stats, random);
  const redact = compileRedact(config.redact, stats);

  return function process(raw) {
    const { parse, failed } = parsers.get(raw.source.input)!;
    const parsed = parse(raw.text, raw);
    const { fields } = parsed;
    if (parsed.fault !== undefined) {
      failed.add();
      setAside(fields, 'parse_error', `${parsed.fault.parser}: ${parsed.fault.reason}`, 'app_');
    }
    if (raw.cri !== undefined) setAside(fields, 'stream', raw.cri.stream, 'app_');
    if (raw.cut > 0) setAside(fields, 'cut_bytes', raw.cut, 'app_');
    if (raw.escaped) setAside(fields, 'escaped', true, 'app_');
    enrich.lift(fields);
    if (judge !== undefined && !judge(fields)) return undefined;
    redact?.(fields);
    enrich.add(fields, raw);
    const { time, nanos } = instantOf(parsed, raw);
    return { source: raw.source, start: raw.start, end: raw.end, time, nanos, fields };
  };
}

/** What the app says comes before what the container runtime has noticed, and that before when it was read. */
function instantOf({ instant }: Parsed, { cri, readAt }: RawRecord): { time: number; nanos: number } {
  if (instant !== undefined) return instant;
  const noticed = cri === undefined ? undefined : parseRfc3339(cri.time, utc, readAt);
  return noticed ?? { time: readAt, nanos: 0 };
}
