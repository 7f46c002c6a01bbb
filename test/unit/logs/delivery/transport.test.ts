import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { makeAuthority } from '../../../support/certificates.ts';
import { makeRecords, startDelivery } from '../../../support/delivery-harness.ts';
import { startLinesServer } from '../../../support/log-stores.ts';

it('shows a client certificate, verifies the store, and takes up an authority that changed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portico-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [authority, stranger] = [await makeAuthority(), await makeAuthority('Stranger')];
  const [own, client] = [await authority.issue('127.0.0.1'), await authority.issue('portico')];
  const names: string[] = [];
  const server = createServer(
    { cert: own.cert, key: own.key, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      names.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      request.resume().on('end', () => response.end());
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const [ca, certificate, key] = ['ca', 'cert', 'key'].map((name) => join(folder, name)) as [string, string, string];
  await writeFile(ca, stranger.cert);
  await writeFile(certificate, client.cert);
  await writeFile(key, client.key);
  const { delivery, offer, flush, acknowledged } = await startDelivery({
    output: {
      kind: 'http',
      endpoints: [`https://127.0.0.1:${(server.address() as AddressInfo).port}/in?x=1`],
      tls: { ca, certificate, private_key: key },
    },
  });
  onTestFinished(() => delivery.close());
  await offer(makeRecords(1));
  const flushed = flush();
  await vi.waitFor(() => expect(delivery.show().last_failure?.cause).toBe('unreachable'), 10_000);
  expect(acknowledged).toEqual([]);
  await writeFile(ca, authority.cert);
  await flushed;
  expect(acknowledged).toHaveLength(1);
  expect(names).toEqual(['portico']);
});

it('compresses larger bodies, and sends the same key with the same body', async () => {
  const store = await startLinesServer();
  const { delivery, offer, flush, metric } = await startDelivery({
    output: { kind: 'http', endpoints: [`${store.url}/in?x=1`], headers: { 'x-team': 'a' } },
  });
  onTestFinished(async () => {
    await delivery.close();
    await store.close();
  });
  store.troubles.push({ kind: 'reset', processed: true });
  await offer(makeRecords(100));
  await flush();
  const [first, second] = store.requests;
  expect(first!.headers).toMatchObject({ 'content-encoding': 'gzip', 'x-team': 'a' });
  expect(first!.path + first!.query.toString()).toBe('/inx=1');
  expect(first!.headers['idempotency-key']).toMatch(/^[\w-]{43}$/);
  expect(second!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  expect(second!.body).toBe(first!.body);
  const [raw, sent] = [
    await metric('portico_logs_delivery_raw_bytes_total'),
    await metric('portico_logs_delivery_sent_bytes_total'),
  ];
  expect(raw).toBe(2 * Buffer.byteLength(first!.body));
  expect(sent).toBeLessThan(raw / 2);
});
