import type { FamilySourceDeps } from '../family-source.ts';
import type { CheckConfig } from './config.ts';
import { judgeResult, noVerdict, type Health, type Verdict } from './health-verdict.ts';
import { unhealthy, type FailureReason, type Probe, type ProbeResult } from './probe.ts';

/** Probes again and again, one probe at a time, and knows what came of it. */
export class HealthCheck {
  readonly #config: CheckConfig;
  readonly #probe: Probe;
  readonly #deps: Pick<FamilySourceDeps, 'log' | 'clock' | 'random'>;
  readonly failures = new Map<FailureReason, number>();
  readonly #stop = new AbortController();
  #verdict: Verdict = noVerdict;
  #probes = 0;
  /** Seconds that the last probe took. */
  #duration: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: CheckConfig, probe: Probe, deps: Pick<FamilySourceDeps, 'log' | 'clock' | 'random'>) {
    this.#config = config;
    this.#probe = probe;
    this.#deps = deps;
    void this.#run();
  }

  get name(): string {
    return this.#config.name;
  }

  get required(): boolean {
    return this.#config.required;
  }

  get health(): Health {
    return this.#verdict.health;
  }

  get probes(): number {
    return this.#probes;
  }

  get duration(): number | undefined {
    return this.#duration;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#deps;
    const start = clock.monotonic();
    const result = await this.#once();
    if (this.#stop.signal.aborted) return;
    this.#duration = (clock.monotonic() - start) / 1000;
    this.#take(result);
    const wait = this.#config.interval * (1 + random() / 10);
    this.#timer = setTimeout(() => void this.#run(), wait).unref();
  }

  /** Ends within the time limit whatever the probe does. */
  #once(): Promise<ProbeResult> {
    return new Promise((resolve) => {
      const giveUp = new AbortController();
      const end = () => giveUp.abort();
      this.#stop.signal.addEventListener('abort', end, { once: true });
      const limit = setTimeout(
        () => finish(unhealthy('timeout', `no answer in ${this.#config.timeout} ms`)),
        this.#config.timeout,
      );
      const finish = (result: ProbeResult) => {
        clearTimeout(limit);
        this.#stop.signal.removeEventListener('abort', end);
        resolve(result);
        giveUp.abort();
      };
      this.#probe(giveUp.signal).then(finish, (error: unknown) => finish(unhealthy('malformed', String(error))));
    });
  }

  #take(result: ProbeResult): void {
    this.#probes++;
    if (!result.healthy) this.failures.set(result.reason, (this.failures.get(result.reason) ?? 0) + 1);
    const before = this.#verdict.health;
    this.#verdict = judgeResult(this.#verdict, result.healthy, this.#config);
    const after = this.#verdict.health;
    if (after === before) return;
    const fields = { check: this.name };
    if (result.healthy) this.#deps.log.info('the app is healthy', fields);
    else this.#deps.log.warn('the app is unhealthy', { ...fields, reason: result.reason, details: result.details });
  }
}
