import type { PodMetadata } from '../pod/index.ts';
import type { MetricsConfig } from './config.ts';
import { podLabels } from './pod-labels.ts';

/**
 * The labels of all series: those of the pod, then those of the configuration, which win. Answers the same map as long as nothing
 * changes, so that who made something of it knows that it still holds.
 */
export function addedLabels(config: MetricsConfig, pod: PodMetadata): () => ReadonlyMap<string, string> {
  let version: number | undefined;
  let labels: ReadonlyMap<string, string> = new Map();
  return () => {
    const { current } = pod;
    if (current.version === version) return labels;
    version = current.version;
    const now = new Map([...podLabels(config.pod_labels, current), ...config.labels]);
    if (!equal(now, labels)) labels = now;
    return labels;
  };
}

function equal(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, value]) => other.get(name) === value);
}
