import { noBody } from '../../http/index.ts';
import type { UpstreamConnection } from '../upstream-connection.ts';
import type { ProbeKind, ProbeResult } from './probe.ts';

/** Asks with GET; the status is answer enough. @returns closes the connection */
export function askHttp(
  connection: UpstreamConnection,
  { path, authority, expected }: Extract<ProbeKind, { kind: 'http' }>,
  done: (result: ProbeResult, found: string) => void,
): () => void {
  const fields = ['user-agent', 'portico-health-check'];
  connection.send(
    { method: 'GET', path, authority, fields, body: noBody, last: true },
    {
      sent() {},
      inform() {},
      head: (status) =>
        done(expected.some(({ min, max }) => status >= min && status <= max) ? 'good' : 'bad', `status ${status}`),
      data: () => true,
      end() {},
      told() {},
      fail: (failure) => done('silent', failure.cause.message),
    },
  );
  return () => connection.destroy();
}
