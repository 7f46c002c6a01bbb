import type { FamilySourceDeps } from '../family-source.ts';
import type { MetricFamily } from '../family.ts';
import { httpCall } from '../http-call.ts';
import type { EndpointConfig } from './config.ts';
import { jsonFamily } from './json-metric.ts';

export interface JsonEndpointTold {
  dropped(metric: string, samples: number): void;
  state(problem: string | undefined): void;
}

/** Asks an endpoint again and again. What it said is forgotten when it fails: old numbers would look like new ones. */
export class JsonEndpoint {
  readonly #config: EndpointConfig;
  readonly #maxSeries: number;
  readonly #told: JsonEndpointTold;
  readonly #random: () => number;
  readonly #stop = new AbortController();
  #families: readonly MetricFamily[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    config: EndpointConfig,
    maxSeries: number,
    { random }: Pick<FamilySourceDeps, 'random'>,
    told: JsonEndpointTold,
  ) {
    this.#config = config;
    this.#maxSeries = maxSeries;
    this.#told = told;
    this.#random = random;
    void this.#run();
  }

  get families(): readonly MetricFamily[] {
    return this.#families;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    let problem: string | undefined;
    try {
      const document = await this.#ask();
      this.#families = this.#config.metrics.map((metric) => {
        const { family, dropped } = jsonFamily(metric, document, this.#maxSeries);
        if (dropped > 0) this.#told.dropped(metric.name, dropped);
        return family;
      });
    } catch (error) {
      this.#families = [];
      problem = (error as Error).message;
    }
    if (this.#stop.signal.aborted) return;
    this.#told.state(problem);
    // A little apart, so that several endpoints of an app are not asked in the same moment for ever.
    this.#timer = setTimeout(() => void this.#run(), this.#config.interval * (1 + this.#random() / 20)).unref();
  }

  async #ask(): Promise<unknown> {
    const { url, timeout, max_bytes: maxBytes } = this.#config;
    const { status, body } = await httpCall({
      method: 'GET',
      url: new URL(url),
      headers: { accept: 'application/json' },
      timeout,
      maxBytes,
      signal: this.#stop.signal,
    });
    if (status !== 200) throw new Error(`answered ${status}`);
    return JSON.parse(body.toString()) as unknown;
  }
}
