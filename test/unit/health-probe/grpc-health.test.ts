import { expect, it } from 'vitest';
import { healthRequest, readHealth } from '../../../src/health-probe/grpc-health.ts';

it.each([
  ['the server as a whole', '', '0000000000'],
  ['a service', 'shop.Cart', '000000000b0a0973686f702e43617274'],
  ['a long name, whose length takes two bytes', 'x'.repeat(200), `00000000cb0ac801${'78'.repeat(200)}`],
])('asks for %s', (_name, service, bytes) => {
  expect(healthRequest(service).toString('hex')).toBe(bytes);
});

it.each([
  ['SERVING', '00000000020801', 'SERVING'],
  ['NOT_SERVING', '00000000020802', 'NOT_SERVING'],
  ['SERVICE_UNKNOWN', '00000000020803', 'SERVICE_UNKNOWN'],
  ['the default, which is not sent', '0000000000', 'UNKNOWN'],
  ['a status of a later version', '00000000020809', 'UNKNOWN'],
  ['the last of two values', '000000000408010802', 'NOT_SERVING'],
  ['behind fields of later versions', '000000000812022a2a18050801', 'SERVING'],
  ['nothing', '', 'malformed'],
  ['half of it', '000000000208', 'malformed'],
  ['more than it says', '0000000002080108', 'malformed'],
  ['compressed', '01000000020801', 'malformed'],
  ['a number without end', '0000000006088080808080', 'malformed'],
  ['a field longer than the message', '00000000031205ff', 'malformed'],
  ['a field of a kind that is none', '00000000020f01', 'malformed'],
])('reads %s', (_name, bytes, status) => {
  expect(readHealth(Buffer.from(bytes, 'hex'))).toBe(status);
});
