import { startOn, type Contender } from '../contender.ts';
import { onPath } from '../load.ts';

export const nginx: Contender = {
  name: 'nginx',
  present: () => onPath('nginx'),
  start: (setting) =>
    startOn(setting, ['http', 'tls', 'http2'], ({ port, tlsPort, appPort, certificate, key, folder, write }) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `${kind}_temp_path ${folder}/${kind};`,
      );
      const file = write(
        'nginx.conf',
        `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log combined buffer=64k flush=1s;
  ${temporary.join(' ')}
  keepalive_requests 100000000;
  map $http_upgrade $connection_out { default upgrade; '' ''; }
  upstream app { server 127.0.0.1:${appPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl http2;
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection $connection_out; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Host $host; }
  }
}
`,
      );
      return ['nginx', '-c', file];
    }),
};
