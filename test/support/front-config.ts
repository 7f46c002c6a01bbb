export interface FrontConfigOptions {
  /** Options of the cluster `app` besides its endpoints. */
  readonly cluster?: Readonly<Record<string, unknown>>;
  /** Options of the one route, `retry_policy` and `timeout` for instance. */
  readonly route?: Readonly<Record<string, unknown>>;
  /** Options of the one listener besides name and address. */
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly http_filters?: readonly unknown[];
}

/** The configuration of a Portico with one listener, one route and one cluster; JSON values are YAML. */
export function frontConfig(
  endpoints: readonly string[],
  { cluster, route, listener, http_filters = [] }: FrontConfigOptions = {},
): string {
  const options = {
    admin: { address: '127.0.0.1:0' },
    listeners: [{ name: 'http', address: '127.0.0.1:0', ...listener }],
    http_filters,
    virtual_hosts: [{ name: 'app', domains: ['*'], routes: [{ route: { cluster: 'app', ...route } }] }],
    clusters: [{ name: 'app', endpoints, ...cluster }],
  };
  return Object.entries(options)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');
}
