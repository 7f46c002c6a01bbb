import { startOn, type Contender } from '../contender.ts';
import { onPath } from '../load.ts';

export const caddy: Contender = {
  name: 'Caddy',
  present: () => onPath('caddy'),
  start: (setting) =>
    startOn(setting, ['http', 'tls', 'http2'], ({ port, tlsPort, appPort, certificate, key, folder, write }) => {
      const file = write(
        'Caddyfile',
        `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  log {
    output file ${folder}/access.log
  }
  reverse_proxy 127.0.0.1:${appPort}
}
https://127.0.0.1:${tlsPort} {
  tls ${certificate} ${key}
  log {
    output file ${folder}/access.log
  }
  reverse_proxy 127.0.0.1:${appPort}
}
`,
      );
      // One core, as everybody has.
      return [
        'env',
        'GOMAXPROCS=1',
        `XDG_CONFIG_HOME=${folder}`,
        `XDG_DATA_HOME=${folder}`,
        'caddy',
        'run',
        '--adapter',
        'caddyfile',
        '--config',
        file,
      ];
    }),
};
