import { escape } from '../../src/conformance/case-file.ts';
import type { Recorder } from '../../src/conformance/recorder.ts';
import type { PorticoProcess } from './portico-process.ts';

/** Field that Portico writes into every request, so that it is known what comes from it. */
export const markName = 'x-mark';

/** Everything that was begun has ended. */
export async function calm(portico: PorticoProcess): Promise<void> {
  const gauges = ['portico_http_active_exchanges', 'portico_cluster_upstream_requests_active'];
  let values: number[] = [];
  for (let tries = 0; tries < 100; tries++) {
    values = await Promise.all(gauges.map((name) => portico.metric(name)));
    if (values.every((value) => value === 0)) return;
    await new Promise((next) => setTimeout(next, 100));
  }
  throw new Error(`still running: ${gauges.map((name, at) => `${name} ${values[at]}`).join(', ')}`);
}

/** The app is given requests that it can read, each written by Portico. */
export function judgeApp(app: Recorder, mark: string): void {
  if (app.unreadable.length > 0) throw new Error(`the app cannot read ${escape(app.unreadable[0]!)}`);
  for (const { fields, text, oddities } of app.requests) {
    const marks = fields.filter(([name]) => name === markName);
    if (marks.length !== 1 || marks[0]![1] !== mark) throw new Error(`not written by portico: ${escape(text)}`);
    if (oddities.length > 0) throw new Error(`the app is given a ${oddities[0]}: ${escape(text)}`);
  }
}

/** The log has lines of JSON, and nothing in it that speaks of a fault of our own. */
export function judgeLog(output: string): void {
  for (const line of output.split('\n')) {
    if (line === '') continue;
    if (!line.startsWith('{')) throw new Error(`portico wrote ${line}`);
    const { level, error } = JSON.parse(line) as { level: string; error?: string };
    // A stack belongs to what nobody has foreseen.
    if (level === 'error' || level === 'fatal' || error?.includes('\n    at ') === true)
      throw new Error(`portico complained: ${line}`);
  }
}
