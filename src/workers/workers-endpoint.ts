import { json, type AdminEndpoint, type OverloadView, type ServerState } from '../admin/index.ts';

export interface WorkerView {
  /** From 1; one that takes the place of another has the same. */
  readonly worker: number;
  readonly pid: number | undefined;
  /** `GONE` until there is another one; `SILENT` when it does not answer. */
  readonly state: ServerState | 'GONE' | 'SILENT';
  /** Of those that had this place, how many have ended without being told to. */
  readonly restarts: number;
  readonly uptime_seconds: number | undefined;
  readonly connections: number | undefined;
  readonly active_exchanges: number | undefined;
  readonly overload: readonly OverloadView[] | undefined;
}

export function workersEndpoint(views: () => Promise<readonly WorkerView[]>): AdminEndpoint {
  return {
    path: '/workers',
    doc: 'The processes that serve clients, with their connections and exchanges.',
    mutates: false,
    render: async () => json({ workers: await views() }),
  };
}
