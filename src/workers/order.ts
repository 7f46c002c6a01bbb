/** What the primary and its workers say to each other: an order has a number, and one answer with the same. */
import type { ClusterView, ListenerView, OverloadView, ReloadReport, ServerState } from '../admin/index.ts';
import type { Fault } from '../options/index.ts';
import type { LogLevel } from '../process-log.ts';
import type { ConfigSource } from '../server.ts';
import type { MetricFamily } from './merge-metrics.ts';

/** Milliseconds that a worker has to tell what the admin asks. */
export const patience = 2000;

export interface Orders {
  start: {
    order: { file: string; source: ConfigSource; worker: number; workers: number; level: LogLevel };
    answer: Started;
  };
  reload: { order: { reason: string; dryRun: boolean; source: ConfigSource }; answer: ReloadReport };
  show: { order: object; answer: WorkerShown };
  /** Is its event loop alive? */
  ping: { order: object; answer: null };
  metrics: { order: object; answer: MetricFamily[] };
  level: { order: { level: LogLevel }; answer: null };
  startDraining: { order: object; answer: null };
  /** Answered with the exit code when all is done; the worker then ends. */
  drain: { order: object; answer: number };
  /** Cuts everything; the worker then ends. */
  stop: { order: object; answer: null };
}

export interface Started {
  /** Names and addresses of the listeners. */
  readonly listening: readonly string[];
}

export interface WorkerShown {
  readonly state: ServerState;
  readonly uptime_seconds: number;
  readonly clusters: readonly ClusterView[];
  readonly listeners: readonly ListenerView[];
  readonly overload: readonly OverloadView[];
}

export type OrderName = keyof Orders;
/** With the number of the order. */
export type OrderMessage = {
  [N in OrderName]: { readonly id: number; readonly name: N } & Orders[N]['order'];
}[OrderName];

export type AnswerMessage =
  | { readonly id: number; readonly answer: unknown }
  /** With faults when a configuration is to blame. */
  | { readonly id: number; readonly failed: string; readonly faults?: readonly Fault[] };
