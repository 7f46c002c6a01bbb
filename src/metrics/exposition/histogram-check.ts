import type { KnownSeries } from '../series-table.ts';
import { LineFault } from './fault.ts';
import { toNumber } from './number.ts';

interface Point {
  readonly group: number;
  readonly timestamp: string | undefined;
  bound: number | undefined;
  bucketValue: number;
  count: number | undefined;
  hasSum: boolean;
  hasGaugeSum: boolean;
  negativeGaugeSum: boolean;
  negativeBuckets: boolean;
}

/**
 * What OpenMetrics says about the samples of one histogram: buckets ascend and are cumulative, the last is `+Inf` and equals the
 * count, sum and count come together, and there is no sum beside negative buckets (1.0, "Histogram" and "GaugeHistogram").
 */
export class HistogramCheck {
  #point: Point | undefined;

  /**
   * @param suffix what the sample's name has after the family's
   * @throws LineFault
   */
  sample({ group, bound }: KnownSeries, suffix: string, value: string, timestamp: string | undefined): void {
    let fault: string | undefined;
    if (this.#point?.group !== group || this.#point.timestamp !== timestamp) {
      fault = this.#fault();
      this.#point = newPoint(group, timestamp);
    }
    const point = this.#point;
    if (suffix === '_bucket') {
      const number = toNumber(value);
      if (bound < 0) point.negativeBuckets = true;
      if (point.bound !== undefined && bound <= point.bound) fault ??= 'has buckets that do not ascend';
      if (number < point.bucketValue) fault ??= 'has a bucket that counts less than the one before';
      point.bound = bound;
      point.bucketValue = number;
    } else if (suffix === '_count' || suffix === '_gcount') {
      point.count = toNumber(value);
    } else if (suffix === '_sum') {
      point.hasSum = true;
    } else if (suffix === '_gsum') {
      point.hasGaugeSum = true;
      if (toNumber(value) < 0) point.negativeGaugeSum = true;
    }
    if (fault !== undefined) throw new LineFault(fault);
  }

  /** @throws LineFault */
  end(): void {
    const fault = this.#fault();
    this.#point = undefined;
    if (fault !== undefined) throw new LineFault(fault);
  }

  #fault(): string | undefined {
    const point = this.#point;
    if (point === undefined) return undefined;
    if (point.bound !== Infinity) return 'ends a histogram without the bucket +Inf';
    if (point.count !== undefined && point.count !== point.bucketValue) {
      return 'ends a histogram whose count is not that of its bucket +Inf';
    }
    if ((point.hasSum || point.hasGaugeSum) && point.count === undefined)
      return 'ends a histogram with a sum and no count';
    if (!point.hasSum && !point.hasGaugeSum && point.count !== undefined) {
      return 'ends a histogram with a count and no sum';
    }
    if (point.negativeBuckets && point.hasSum) return 'ends a histogram with negative buckets and a sum';
    if (!point.negativeBuckets && point.negativeGaugeSum)
      return 'ends a histogram without negative buckets whose sum is negative';
    return undefined;
  }
}

function newPoint(group: number, timestamp: string | undefined): Point {
  return {
    group,
    timestamp,
    bound: undefined,
    bucketValue: 0,
    count: undefined,
    hasSum: false,
    hasGaugeSum: false,
    negativeGaugeSum: false,
    negativeBuckets: false,
  };
}
