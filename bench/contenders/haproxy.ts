import { readFileSync } from 'node:fs';
import { startOn, type Contender } from '../contender.ts';
import { onPath } from '../load.ts';

export const haproxy: Contender = {
  name: 'HAProxy',
  present: () => onPath('haproxy'),
  start: (setting) =>
    startOn(setting, ['http', 'tls', 'http2'], ({ port, tlsPort, appPort, certificate, key, write }) => {
      const pem = write('both.pem', readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
      const file = write(
        'haproxy.cfg',
        `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${tlsPort} ssl crt ${pem} alpn h2,http/1.1
  option forwardfor
  default_backend app
backend app
  server app 127.0.0.1:${appPort}
`,
      );
      return ['haproxy', '-db', '-f', file];
    }),
};
