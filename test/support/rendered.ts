import { renderOpenMetrics } from '../../src/metrics/exposition/render-openmetrics.ts';
import { renderText } from '../../src/metrics/exposition/render-text.ts';
import type { MetricFamily } from '../../src/metrics/family.ts';

/** Without families that have no samples, which a page has not. */
export function renderedText(families: readonly MetricFamily[]): string {
  return Buffer.concat([...renderText(families.filter(({ samples }) => samples.length > 0))]).toString();
}

export function renderedOpenMetrics(families: readonly MetricFamily[]): string {
  return Buffer.concat([...renderOpenMetrics(families.filter(({ samples }) => samples.length > 0))]).toString();
}
