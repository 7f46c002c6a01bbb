import { readFile } from 'node:fs/promises';
import { httpCall, type HttpAnswer } from '../http-call.ts';
import type { Batch } from './batch.ts';
import type { OutputConfig } from './config.ts';
import { encodeOtlpMetrics } from './otlp.ts';
import { encodeRemoteWrite, type RemoteWriteVersion } from './remote-write.ts';

/**
 * One attempt to deliver a batch.
 * @throws Error of a file, of the socket or of the protocol: all of them may pass
 */
export async function sendBatch(
  config: OutputConfig,
  batch: Batch,
  version: RemoteWriteVersion,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { headers, body } =
    config.protocol === 'otlp_http'
      ? encodeOtlpMetrics(batch, config.external_labels, config.encoding)
      : encodeRemoteWrite(batch, version);
  const url = new URL(config.url);
  const { ca_file, certificate_file, key_file, server_name } = config.tls;
  const [authorization, ca, cert, key] = await Promise.all([
    credentials(config),
    ...[ca_file, certificate_file, key_file].map((file) => (file === undefined ? undefined : readFile(file, 'utf8'))),
  ]);
  return httpCall({
    method: 'POST',
    url,
    headers: { ...headers, ...(authorization !== undefined && { authorization }), ...config.headers },
    body,
    timeout: config.timeout,
    maxBytes: 64 * 1024,
    signal,
    ...(url.protocol === 'https:' && {
      tls: {
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
        ...(server_name && { servername: server_name }),
      },
    }),
  });
}

async function credentials({ auth: { bearer_token_file: token, basic } }: OutputConfig): Promise<string | undefined> {
  if (token !== undefined) return `Bearer ${(await readFile(token, 'utf8')).trim()}`;
  if (basic === undefined) return undefined;
  const password = (await readFile(basic.password_file, 'utf8')).replace(/\r?\n$/, '');
  return `Basic ${Buffer.from(`${basic.username}:${password}`).toString('base64')}`;
}
