import { http } from '../../node-http.ts';
import { showAddress } from '../../options/index.ts';
import type { HttpProbeConfig } from './config.ts';
import { failedBy, healthy, unhealthy, type Probe } from './probe.ts';

/** GET, and a look at the status; the body is not waited for. */
export function httpProbe({ address: at, path, host, expected_statuses: expected }: HttpProbeConfig): Probe {
  const target = at.kind === 'unix' ? { socketPath: at.path } : { host: at.host, port: at.port };
  const headers = {
    host: host ?? (at.kind === 'unix' ? 'localhost' : showAddress(at)),
    'user-agent': 'portico-health-check',
    connection: 'close',
  };
  return (signal) =>
    new Promise((resolve) => {
      const asked = http.request({ ...target, path, headers, agent: false, maxHeaderSize: 16 * 1024, signal });
      asked.once('response', (response) => {
        const status = response.statusCode!;
        const fits = expected.some((each) =>
          typeof each === 'number' ? status === each : status >= each.min && status <= each.max,
        );
        resolve(fits ? healthy : unhealthy('status', `answered ${status}`));
        response.on('error', () => {});
        asked.destroy();
      });
      asked.once('upgrade', (response, socket) => {
        resolve(unhealthy('status', `answered ${response.statusCode}`));
        socket.destroy();
      });
      asked.on('error', (error) => resolve(failedBy(error)));
      asked.end();
    });
}
