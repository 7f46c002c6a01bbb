import { connect } from 'node:tls';
import { expect, it } from 'vitest';
import { http1Codecs } from '../support/http1-codecs.ts';
import { makeAuthority } from '../support/certificates.ts';
import { folderOf, RawClient, startListener } from '../support/listener-harness.ts';
const ca = await makeAuthority(); const leaf = await ca.issue('t');
it.each(http1Codecs.flatMap(([n, h]) => (['auto', 'http1', 'tls'] as const).map((k) => [n, k, h] as const)))('%s %s', async (_n, kind, http1) => {
  const folder = folderOf({ 'a.crt': leaf.cert, 'a.key': leaf.key });
  const { listener, port } = await startListener({ http1, folder, config: kind === 'tls' ? { tls: { certificates: [{ certificate_chain: 'a.crt', private_key: 'a.key' }] } } : { protocol: kind } });
  let client: RawClient;
  if (kind === 'tls') { const s = connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 't', ALPNProtocols: ['http/1.1'] }); await new Promise((r) => s.on('secureConnect', r)); client = new RawClient(s); } else client = await RawClient.connect(port);
  await expect.poll(() => listener.show().connections).toBe(1);
  await new Promise((r) => setTimeout(r, 30));
  const closing = listener.close(5000);
  await new Promise((r) => setTimeout(r, 30));
  client.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
  expect(await client.end()).toContain(' 200 ');
  expect(await closing).toEqual({ forced: 0 });
});
