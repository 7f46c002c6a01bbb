import { fileURLToPath } from 'node:url';
import { ensureDevelopmentCertificates } from './development-certificates.ts';
import { complain, say, type Command } from './command.ts';
import { startDemoApp } from './demo/app.ts';
import { mintDemoToken } from './demo/token.ts';
import { startServer } from './run.ts';
import { untilSignalled } from './until-signalled.ts';

const appPort = 8080;
const root = fileURLToPath(new URL('../../', import.meta.url));

export const demo: Command = {
  name: 'demo',
  doc: 'Runs config/demo.yaml in front of a small app: something to try at once.',
  options: {},
  async run() {
    const certificates = `${root}certs`;
    await ensureDevelopmentCertificates(certificates);
    const token = await mintDemoToken(certificates);
    const app = await startDemoApp(appPort);
    const server = await startServer(`${root}config/demo.yaml`);
    if (typeof server === 'number') {
      app?.close();
      complain('portico demo: not started, see above');
      return server;
    }
    say(welcome(app !== undefined, token));
    const code = await untilSignalled(server, { hurried: true });
    app?.closeAllConnections();
    app?.close();
    say('\nstopped');
    return code;
  },
};

function welcome(ownApp: boolean, token: string): string {
  return `
Portico is open.

  http://localhost:8000     HTTP/1.1 and HTTP/2 (prior knowledge)
  https://localhost:8443    HTTP/1.1 and HTTP/2, development certificate (authority: certs/ca.crt)
  http://127.0.0.1:9090     admin
  http://localhost:${appPort}     the app behind the door${ownApp ? '' : ' (something that listened there already)'}

Try:

  curl http://localhost:8000/hello

  curl --cacert certs/ca.crt https://localhost:8443/private -H 'authorization: Bearer ${token}'

  for i in 1 2 3 4 5; do curl -s -o /dev/null -w '%{http_code}\\n' http://localhost:8000/limited; done

Ctrl-C stops it. Below is the access log.
`;
}
