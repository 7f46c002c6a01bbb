import type { Socket } from 'node:net';
import type { HealthCheckConfig } from './config.ts';
import { probe, type ProbeKind, type ProbeOutcome, type ProbeTarget } from './health-probe/probe.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { SocketTls } from './upstream-socket.ts';

export interface HealthCheckerOptions {
  readonly config: HealthCheckConfig;
  /** Host field of the request unless the configuration names one. */
  readonly host: string;
  readonly tls: SocketTls | undefined;
  readonly connection: (socket: Socket) => UpstreamConnection;
  readonly random: () => number;
}

/** Checks one endpoint again and again, on a connection of its own each time: the pool's ceilings are for requests. */
export class HealthChecker {
  readonly #endpoint: ProbeTarget;
  readonly #options: HealthCheckerOptions;
  readonly #what: ProbeKind;
  readonly #told: (outcome: ProbeOutcome) => void;
  #timer: NodeJS.Timeout | undefined;
  #giveUp: () => void = () => {};
  #first: () => void = () => {};
  #stopped = false;

  constructor(endpoint: ProbeTarget, options: HealthCheckerOptions, told: (outcome: ProbeOutcome) => void) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#what = kindOf(options.config, options.host);
    this.#told = told;
  }

  /** Begins; resolves when the first check is over, or when it is stopped. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#first = resolve;
      this.#check();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#giveUp();
    this.#first();
  }

  #check(): void {
    const { config, tls, connection, random } = this.#options;
    this.#giveUp = probe(this.#what, this.#endpoint, { timeout: config.timeout, tls, connection }, (outcome) => {
      this.#first();
      if (this.#stopped) return;
      this.#told(outcome);
      this.#timer = setTimeout(() => this.#check(), config.interval + random() * config.interval_jitter).unref();
    });
  }
}

function kindOf({ http, grpc }: HealthCheckConfig, host: string): ProbeKind {
  if (http !== undefined) {
    return { kind: 'http', path: http.path, authority: http.host ?? host, expected: http.expected_statuses };
  }
  if (grpc !== undefined) return { kind: 'grpc', service: grpc.service, authority: grpc.authority ?? host };
  return { kind: 'tcp' };
}
