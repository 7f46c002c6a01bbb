import type { CounterHandle, GaugeHandle, Stats } from '../../stats/index.ts';

/** What is known about one output. */
export interface PushStats {
  readonly sent: CounterHandle;
  readonly written: CounterHandle;
  readonly rejected: CounterHandle;
  readonly failed: CounterHandle;
  dropped(reason: 'refused' | 'queue_full' | 'damaged' | 'too_large' | 'disk'): CounterHandle;
  readonly waiting: GaugeHandle;
  readonly waitingBytes: GaugeHandle;
  /** The output is gone, and nothing waits for it. Counters stay, so that they never fall. */
  forget(): void;
}

export function pushStats(stats: Stats, output: string): PushStats {
  const dropped = stats.counter(
    'portico_metrics_push_dropped_batches_total',
    'Batches that were never delivered: refused by the receiver, too many or too large for the queue, damaged or refused by the disk.',
    ['output', 'reason'],
  );
  const counter = (name: string, doc: string) => stats.counter(name, doc, ['output']).with({ output });
  const gauge = (name: string, doc: string) => stats.gauge(name, doc, ['output']);
  const waiting = gauge('portico_metrics_push_waiting_batches', 'Batches that wait.');
  const waitingBytes = gauge('portico_metrics_push_waiting_bytes', 'Bytes that wait.');
  return {
    sent: counter('portico_metrics_push_samples_total', 'Samples that the receiver has taken.'),
    written: counter(
      'portico_metrics_push_samples_written_total',
      'Samples that the receiver says it has written, if it says so (X-Prometheus-Remote-Write-Samples-Written).',
    ),
    rejected: counter(
      'portico_metrics_push_rejected_points_total',
      'Points that a receiver of OTLP has refused in a batch that it took.',
    ),
    failed: counter('portico_metrics_push_failures_total', 'Attempts that failed and are made again.'),
    dropped: (reason) => dropped.with({ output, reason }),
    waiting: waiting.with({ output }),
    waitingBytes: waitingBytes.with({ output }),
    forget() {
      waiting.remove({ output });
      waitingBytes.remove({ output });
    },
  };
}
