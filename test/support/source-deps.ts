import type { FamilySourceDeps } from '../../src/metrics/family-source.ts';
import type { MetricFamily } from '../../src/metrics/family.ts';
import type { ProcessLog } from '../../src/process-log.ts';
import { Stats } from '../../src/stats/index.ts';

/** What sources of metrics are created with; `lines` are what was logged. */
export function sourceDeps(): FamilySourceDeps & { readonly lines: string[] } {
  const lines: string[] = [];
  const write = (message: string) => void lines.push(message);
  const log: ProcessLog = {
    level: 'debug',
    dropped: 0,
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: () => log,
    flush: async () => {},
    flushNow() {},
  };
  return {
    log,
    lines,
    stats: new Stats(),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    random: () => 0.5,
  };
}

/** `name{label="value"}` with its value, for all samples. */
export function samplesOf(families: readonly MetricFamily[]): Record<string, string> {
  const all: Record<string, string> = {};
  for (const { samples } of families) {
    for (const { name, labels, value } of samples) {
      const pairs: string[] = [];
      for (let at = 0; at < labels.length; at += 2) pairs.push(`${labels[at]}="${labels[at + 1]}"`);
      all[pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`] = value;
    }
  }
  return all;
}
