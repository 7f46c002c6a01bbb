/** What the rooms show the admin: plain data, made when somebody asks. */
import type { LogLevel, ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';

/** `UNREADY`: it runs, and says itself that nothing should come here now. */
export type ServerState = 'INITIALIZING' | 'LIVE' | 'UNREADY' | 'DRAINING';

/** What every role shows. */
export interface AdminView {
  state(): ServerState;
  /** The configuration in force as plain data, secrets already masked: it is shown as it is. */
  configDump(): unknown;
  serverInfo(): ServerInfo;
  readonly stats: Stats;
  readonly log: ProcessLog;
  /** Whom else to tell of a new level of the log. */
  logLevelChanged?(level: LogLevel): Promise<void>;
}

/** What the proxy shows. */
export interface ProxyView extends AdminView {
  clusters(): readonly ClusterView[] | Promise<readonly ClusterView[]>;
  listeners(): readonly ListenerView[] | Promise<readonly ListenerView[]>;
}

export interface ClusterView {
  readonly name: string;
  readonly lb_policy: string;
  readonly endpoints: readonly EndpointView[];
  /** `closed`, `open`, `half_open`, or `off` when the cluster has none. */
  readonly error_rate_breaker: string;
  /** `max_connections`, `max_pending_requests`, `max_requests`, `max_retries`. */
  readonly circuit_breakers: Readonly<Record<string, CeilingView>>;
  readonly idle_connections: number;
}

export interface EndpointView {
  /** `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/app.sock`. */
  readonly address: string;
  readonly weight: number;
  /** `healthy`, or why it is left out: `ejected` by outlier detection. */
  readonly health: string;
  readonly active_requests: number;
  readonly connections: number;
}

export interface CeilingView {
  readonly used: number;
  readonly most: number;
  /** `most` is that of all workers together, and the same in all of them. */
  readonly shared?: boolean;
}

export interface ListenerView {
  readonly name: string;
  /** The address it really has, so port 0 is resolved. */
  readonly address: string;
  /** `HTTP/1.1`, `HTTP/2`. */
  readonly protocols: readonly string[];
  readonly tls?: ListenerTlsView | undefined;
  readonly connections: number;
  readonly active_exchanges: number;
}

export interface ListenerTlsView {
  readonly certificates: readonly CertificateView[];
}

export interface CertificateView {
  /** Names it is good for, as they stand in the certificate. */
  readonly names: readonly string[];
  /** ISO 8601. */
  readonly not_after: string;
}

export interface LastReload {
  /** ISO 8601. */
  readonly at: string;
  /** `SIGHUP`, `POST /reload`, or which files have changed. */
  readonly reason: string;
  readonly result: 'applied' | 'refused';
  readonly faults: readonly string[];
}

/** How much there is of something of which there can be too much. */
export interface OverloadView {
  readonly trigger: string;
  /** `ok`; `shed`: exchanges are refused; `refuse`: connections as well. */
  readonly level: string;
  readonly value: number;
  /** From which work is refused; left out when it never is. */
  readonly limit?: number | undefined;
}

export interface ServerInfo {
  readonly version: string;
  readonly node_version: string;
  readonly pid: number;
  readonly uptime_seconds: number;
  readonly state: ServerState;
  /** Left out by the proxy. */
  readonly role?: string;
  readonly config_file: string | undefined;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly config_hash: string | undefined;
  /** When the configuration in force was loaded, ISO 8601. */
  readonly config_loaded_at?: string;
  /** Of the last reload, whether or not it was applied. */
  readonly last_reload?: LastReload | undefined;
  readonly overload?: readonly OverloadView[];
  /** How many processes serve clients, when it is not this one. */
  readonly workers?: number;
  readonly arguments: readonly string[];
}
