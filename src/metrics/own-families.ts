import type { Stats } from '../stats/index.ts';
import type { MetricFamily, MetricType } from './family.ts';
import { numberText } from './own-family.ts';

/** Names that the app has for itself: those of its process, as all client libraries call them. */
const ofTheApp = /^(?:process|nodejs)_/;

/**
 * The metrics of this process as families. What an app calls the same is put under `portico_`, and all carry `portico_role`, so
 * that they differ from those of a proxy that is scraped.
 */
export async function ownFamilies({ registry }: Stats): Promise<MetricFamily[]> {
  const metrics = (await registry.getMetricsAsJSON()) as unknown as Metric[];
  return metrics.map(({ name, help, type, values }): MetricFamily => {
    const renamed = ownName(name);
    return {
      name: renamed,
      type,
      help,
      unit: undefined,
      samples: values.map(({ metricName, labels, value }) => ({
        name: metricName === undefined ? renamed : ownName(metricName),
        labels: [
          ...Object.entries(labels).flatMap(([label, text]) => [label, labelText(text)]),
          'portico_role',
          'metrics',
        ],
        value: numberText(value),
        timestamp: undefined,
        exemplar: undefined,
      })),
    };
  });
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

function ownName(name: string): string {
  return ofTheApp.test(name) ? `portico_${name}` : name;
}

/** A bound of a bucket is a number. */
function labelText(value: string | number): string {
  return typeof value === 'number' ? numberText(value) : value;
}
