import type { Socket } from 'node:net';
import { noBody } from '../http/index.ts';
import type { HealthCheckConfig } from './config.ts';
import type { CheckResult } from './health-state.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { openSocket, type SocketTarget, type SocketTls } from './upstream-socket.ts';

export interface HealthCheckerOptions {
  readonly config: HealthCheckConfig;
  /** Host field of the request unless the configuration names one. */
  readonly host: string;
  readonly tls: SocketTls | undefined;
  connection(socket: Socket): UpstreamConnection;
  random(): number;
}

/** What can be checked. */
export interface Checked {
  readonly address: string;
  readonly target: SocketTarget;
}

/** Checks one endpoint again and again, on a connection of its own each time: the pool's ceilings are for requests. */
export class HealthChecker {
  readonly #endpoint: Checked;
  readonly #options: HealthCheckerOptions;
  readonly #told: (result: CheckResult) => void;
  #timer: NodeJS.Timeout | undefined;
  #giveUp: () => void = () => {};
  #stopped = false;

  constructor(endpoint: Checked, options: HealthCheckerOptions, told: (result: CheckResult) => void) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#told = told;
  }

  /** Begins; resolves when the first check is over, or when it is stopped. */
  start(): Promise<void> {
    return new Promise((resolve) => this.#check(resolve));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#giveUp();
  }

  #check(first?: () => void): void {
    const { config } = this.#options;
    let over = false;
    let close = (): void => {};
    const end = (): boolean => {
      if (over) return false;
      over = true;
      clearTimeout(limit);
      close();
      first?.();
      return true;
    };
    const done = (result: CheckResult): void => {
      if (!end() || this.#stopped) return;
      this.#told(result);
      const wait = config.interval + this.#options.random() * config.interval_jitter;
      this.#timer = setTimeout(() => this.#check(), wait).unref();
    };
    const limit = setTimeout(() => done('silent'), config.timeout).unref();
    this.#giveUp = end;
    close = openSocket(
      this.#endpoint.target,
      { endpoint: this.#endpoint.address, connectTimeout: config.timeout, tls: this.#options.tls },
      (_error, socket) => {
        if (socket === undefined) return done('silent');
        close = () => socket.destroy();
        if (over) return close();
        if (config.http === undefined) return done('good');
        close = this.#ask(socket, config.http, done);
      },
    );
  }

  /** @returns closes the connection */
  #ask(
    socket: Socket,
    { path, host, expected_statuses: expected }: NonNullable<HealthCheckConfig['http']>,
    done: (result: CheckResult) => void,
  ): () => void {
    const connection = this.#options.connection(socket);
    const authority = host ?? this.#options.host;
    const fields = ['user-agent', 'portico-health-check'];
    connection.send(
      { method: 'GET', path, authority, fields, body: noBody, last: true },
      {
        sent() {},
        inform() {},
        head: (status) => done(expected.some(({ min, max }) => status >= min && status <= max) ? 'good' : 'bad'),
        data: () => true,
        end() {},
        told() {},
        fail: () => done('silent'),
      },
    );
    return () => connection.destroy();
  }
}
