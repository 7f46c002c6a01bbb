import { connect } from 'node:net';
import type { Address } from '../../options/index.ts';
import { failedBy, healthy, type Probe } from './probe.ts';

/** Whether somebody accepts connections. */
export function tcpProbe(at: Address): Probe {
  return (signal) =>
    new Promise((resolve) => {
      const socket = connect(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port });
      const end = () => socket.destroy();
      signal.addEventListener('abort', end, { once: true });
      socket.once('error', (error) => resolve(failedBy(error)));
      socket.once('connect', () => {
        resolve(healthy);
        // A reset, so that no port of ours stays in TIME_WAIT for every check.
        socket.resetAndDestroy();
      });
      socket.once('close', () => {
        signal.removeEventListener('abort', end);
        resolve(failedBy(new Error('closed')));
      });
    });
}
