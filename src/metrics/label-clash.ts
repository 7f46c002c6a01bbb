import type { LabelMap } from './relabel/relabel.ts';

export const labelClashPolicies = ['keep', 'override', 'rename'] as const;
export type LabelClash = (typeof labelClashPolicies)[number];

/**
 * Adds labels to those that the app wrote. Where both have one: `keep` leaves the app's, `override` replaces it, `rename` keeps the
 * app's under `exported_x`, with the prefix again as long as that is taken too (as Prometheus does without `honor_labels`).
 */
export function addLabels(labels: LabelMap, added: ReadonlyMap<string, string>, clash: LabelClash): void {
  for (const [name, value] of added) {
    const written = labels.get(name) ?? '';
    if (written !== '') {
      if (clash === 'keep') continue;
      if (clash === 'rename') {
        let renamed = `exported_${name}`;
        while (labels.has(renamed) || added.has(renamed)) renamed = `exported_${renamed}`;
        labels.delete(name);
        labels.set(renamed, written);
      }
    }
    labels.set(name, value);
  }
}
