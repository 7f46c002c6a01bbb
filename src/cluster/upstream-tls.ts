import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { ConfigError, type Fault } from '../options/index.ts';
import type { UpstreamTlsConfig } from './config.ts';
import type { SocketTls } from './upstream-socket.ts';

/**
 * Reads the files that the configuration names.
 * @throws ConfigError with paths below the cluster: `tls.ca`
 */
export function loadUpstreamTls(config: UpstreamTlsConfig, resolvePath: (path: string) => string): SocketTls {
  const faults: Fault[] = [];
  const read = (option: 'ca' | 'certificate' | 'private_key'): Buffer | undefined => {
    const path = config[option];
    if (path === undefined) return undefined;
    try {
      return readFileSync(resolvePath(path));
    } catch (error) {
      faults.push({ path: ['tls', option], message: `cannot be read: ${(error as Error).message}` });
      return undefined;
    }
  };
  if ((config.certificate === undefined) !== (config.private_key === undefined)) {
    faults.push({ path: ['tls'], message: 'certificate and private_key go together' });
  }
  const [ca, cert, key] = [read('ca'), read('certificate'), read('private_key')];
  if (faults.length > 0) throw new ConfigError(faults);
  try {
    const secureContext = tls.createSecureContext({
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      minVersion: 'TLSv1.2',
    });
    return { secureContext, sni: config.sni, verify: !config.insecure_skip_verify };
  } catch (error) {
    throw new ConfigError([{ path: ['tls'], message: `cannot be used: ${(error as Error).message}` }]);
  }
}
