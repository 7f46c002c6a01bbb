import { http } from '../node-http.ts';
import { parseAddress, type Address } from '../options/index.ts';

export const adminOption = {
  type: 'string',
  value: 'ADDRESS',
  doc: 'Where the admin interface listens.',
} as const;

export const defaultAdmin = '127.0.0.1:9090';

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** `127.0.0.1:9090` or `unix:/path`; undefined for anything else. An address that stands for all is asked on loopback. */
export function adminAddress(text: string): Address | undefined {
  const address = parseAddress(text);
  if (address?.kind !== 'tcp') return address;
  if (address.host === '0.0.0.0') return { ...address, host: '127.0.0.1' };
  return address.host === '::' ? { ...address, host: '::1' } : address;
}

/**
 * Asks a running Portico.
 * @param milliseconds for the whole answer
 * @throws Error when there is none
 */
export function askAdmin(
  address: Address,
  method: 'GET' | 'POST',
  path: string,
  milliseconds: number,
): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const at = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
    const asked = http.request({ ...at, method, path, agent: false, headers: { host: 'localhost' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    const timer = setTimeout(() => asked.destroy(new Error('no answer in time')), milliseconds);
    asked.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    asked.end();
  });
}
