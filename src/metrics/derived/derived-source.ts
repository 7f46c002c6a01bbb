import type { FamilySource, FamilySourceDeps } from '../family-source.ts';
import { ownFamily } from '../own-family.ts';
import { TellOnce } from '../tell-once.ts';
import type { DerivedConfig } from './config.ts';
import { JsonEndpoint } from './json-endpoint.ts';
import { LineFollower } from './line-follower.ts';
import { LogMetric } from './log-metric.ts';

/** Metrics that the configuration makes of lines of logs and of JSON. */
export function createDerivedSource(
  { max_series: maxSeries, logs, endpoints }: DerivedConfig,
  deps: Pick<FamilySourceDeps, 'log' | 'stats' | 'random'>,
): FamilySource {
  const { log, stats } = deps;
  const once = new TellOnce(log);
  const dropped = stats.counter(
    'portico_metrics_derived_dropped_total',
    'Matches and values that made no sample: no number, or more than max_series sets of label values.',
    ['metric'],
  );
  const tooLong = stats.counter(
    'portico_metrics_derived_long_lines_total',
    'Lines that were longer than max_line_bytes.',
    ['source'],
  );
  const up = new Map<string, boolean>();
  const state = (name: string, where: string) => (problem: string | undefined) => {
    up.set(name, problem === undefined);
    if (problem === undefined) once.well(name);
    else once.warn(name, `no metrics can be derived from ${where}: ${problem}`, { source: name });
  };

  const logMetrics: LogMetric[] = [];
  const followers = logs.map((config) => {
    const metrics = config.metrics.map((metric) => {
      const made = new LogMetric(metric, maxSeries);
      logMetrics.push(made);
      return { made, lost: dropped.with({ metric: metric.name }) };
    });
    return new LineFollower({
      path: config.path,
      interval: config.poll_interval,
      maxLineBytes: config.max_line_bytes,
      line(text) {
        for (const { made, lost } of metrics) if (made.take(text) === 'dropped') lost.add();
      },
      tooLong: () => tooLong.with({ source: config.name }).add(),
      state: state(config.name, config.path),
    });
  });
  const askers = endpoints.map(
    (config) =>
      new JsonEndpoint(config, maxSeries, deps, {
        dropped: (metric, samples) => dropped.with({ metric }).add(samples),
        state: state(config.name, new URL(config.url).host),
      }),
  );

  return {
    name: 'derived',
    families: () => [
      ownFamily(
        'gauge',
        'portico_app_derived_up',
        'Whether the file or endpoint could be read at the last look.',
        Array.from(up, ([name, well]) => [['source', name], well ? 1 : 0] as const),
      ),
      ...logMetrics.map((metric) => metric.family()),
      ...askers.flatMap(({ families }) => families),
    ],
    async close() {
      for (const asker of askers) asker.close();
      await Promise.all(followers.map((follower) => follower.close()));
    },
  };
}
