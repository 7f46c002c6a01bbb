import type { Labels, Stats } from '../../stats/index.ts';
import type { FollowedFiles } from './followed-files.ts';

/** Files that have a series of their own; the others share one of each input. */
const mostSeries = 1000;

/** What is behind, and how many files there are. */
export function lagGauge(stats: Stats, files: FollowedFiles): void {
  stats.observed(
    'portico_logs_file_lag_bytes',
    `Bytes of each file that are not acknowledged. Beyond ${mostSeries} files the rest is in path="other".`,
    ['input', 'path'],
    () => lags(files),
  );
  stats.observed('portico_logs_files', 'Files that are followed, by their state.', ['state'], () => states(files));
  stats.observed('portico_logs_open_files', 'Files that are open.', [], () => [[{}, files.openFiles]]);
}

function lags(files: FollowedFiles): [Labels, number][] {
  const series: [Labels, number][] = [];
  const others = new Map<string, number>();
  for (const { input, path, lag } of files.all) {
    if (series.length < mostSeries) series.push([{ input: input.name, path }, lag]);
    else others.set(input.name, (others.get(input.name) ?? 0) + lag);
  }
  for (const [input, lag] of others) series.push([{ input, path: 'other' }, lag]);
  return series;
}

function states(files: FollowedFiles): [Labels, number][] {
  const counts = new Map<string, number>([['live', 0]]);
  for (const { state } of files.all) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => [{ state }, count]);
}
