import { startOn, type Contender } from '../contender.ts';
import { nodeFlags } from '../../src/cli/node-flags.ts';

/**
 * @param filters the chain as YAML; LOG stands for the path of an access log
 * @param libraries the codecs that are taken from libraries instead, to show what ours bring
 */
export function portico(name: string, filters: string, libraries: readonly ('server' | 'client')[] = []): Contender {
  return {
    name,
    present: () => true,
    start: (setting) =>
      startOn(
        setting,
        ['http', 'tls', 'http2'],
        ({ port, tlsPort, adminPort, appPort, certificate, key, folder, write }) => {
          const file = write(
            'portico.yaml',
            `admin: { address: 127.0.0.1:${adminPort} }
log: { level: warn }
listeners:
  - { name: http, address: 127.0.0.1:${port} }
  - name: https
    address: 127.0.0.1:${tlsPort}
    tls: { certificates: [{ certificate_chain: ${certificate}, private_key: ${key} }] }
http_filters: ${filters.replaceAll('LOG', `${folder}/access.log`)}
clusters:
  - { name: app, endpoints: [127.0.0.1:${appPort}] }
virtual_hosts:
  - { name: app, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: app } }] }
`,
          );
          const program =
            libraries.length === 0
              ? ['src/cli.js', 'run', '-c', file]
              : ['bench/servers/portico-on-libraries.ts', file, ...libraries];
          return [process.execPath, ...nodeFlags, ...program];
        },
      ),
  };
}
