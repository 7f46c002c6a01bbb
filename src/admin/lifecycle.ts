import type { AdminEndpoint } from './endpoints.ts';
import { json, text } from './reply.ts';

/** What an operator may do with a running Portico. */
export interface Lifecycle {
  /** @param reason for the log */
  reload(reason: string, options?: { dryRun?: boolean }): Promise<ReloadReport>;
  /** Readiness fails and connections are told to go; the process stays. */
  startDraining(): void;
  /** Drains and ends the process with exit code 0. */
  quit(): void;
}

/** What became of a reload, or would become of it. */
export interface ReloadReport {
  /** `good` is what a dry run says of a configuration that would be applied. */
  readonly result: 'applied' | 'refused' | 'good';
  readonly config_file: string;
  /** Of the configuration in force afterwards. */
  readonly config_hash: string;
  /** Why it was refused, one line each. */
  readonly faults: readonly string[];
  /** What changed and cannot take effect before the next start. */
  readonly notes: readonly string[];
  /** Undefined when it was refused. */
  readonly changes?: ReloadChanges;
}

export interface ReloadChanges {
  readonly listeners_opened: readonly string[];
  readonly listeners_replaced: readonly string[];
  readonly listeners_closed: readonly string[];
  readonly clusters: { readonly kept: number; readonly made: number };
  readonly filters: { readonly kept: number; readonly made: number };
  /** Number of requests of the past that were held against the old and the new routes. */
  readonly sampled_requests: number;
  /** Those that go another way now. */
  readonly route_differences: readonly RouteDifferenceReport[];
  /** What new routes look at and samples do not have. */
  readonly not_sampled: readonly string[];
}

export interface RouteDifferenceReport {
  readonly requests: number;
  readonly examples: readonly string[];
  readonly before: string;
  readonly after: string;
  readonly changed: readonly string[];
}

/** The rows that change what the process does. */
export function lifecycleEndpoints(lifecycle: Lifecycle): readonly AdminEndpoint[] {
  return [
    {
      path: '/reload',
      doc: 'Reads the configuration file again and applies it; a bad one changes nothing (422). SIGHUP does the same.',
      mutates: true,
      parameters: { dry_run: { doc: '1 only tells what would change.', values: ['0', '1'] } },
      async render(_view, { query }) {
        const dryRun = query.get('dry_run') ?? '0';
        if (dryRun !== '0' && dryRun !== '1') return text('dry_run must be 0 or 1\n', 400);
        const report = await lifecycle.reload('POST /reload', { dryRun: dryRun === '1' });
        return json(report, report.result === 'refused' ? 422 : 200);
      },
    },
    {
      path: '/drain',
      doc: 'Fails readiness and tells connections to go, and goes on serving. There is no way back.',
      mutates: true,
      render() {
        lifecycle.startDraining();
        return text('DRAINING\n');
      },
    },
    {
      path: '/quit',
      doc: 'Drains and ends the process with exit code 0. For jobs, whose pod ends when all its containers have.',
      mutates: true,
      render() {
        lifecycle.quit();
        return text('DRAINING\n');
      },
    },
  ];
}
