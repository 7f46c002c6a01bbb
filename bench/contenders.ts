import type { Contender } from './contender.ts';
import { caddy } from './contenders/caddy.ts';
import { envoy } from './contenders/envoy.ts';
import { haproxy } from './contenders/haproxy.ts';
import { nginx } from './contenders/nginx.ts';
import { nodeProxy } from './contenders/node-proxies.ts';
import { portico } from './contenders/portico.ts';

const log = '{ name: access-log, config: { path: LOG } }';
const limit = '{ name: rate-limit, config: { key: client_address, max_tokens: 1000000, tokens_per_fill: 1000000 } }';
/** An HS256 key that everybody may know, and the token below, which never expires and is good for nothing else. */
const jwks =
  '{"keys":[{"kty":"oct","kid":"bench","alg":"HS256","k":"YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g"}]}';
const jwt = `{ name: jwt-auth, config: { providers: { bench: { issuer: bench, algorithms: [HS256], require_expiration: false, local_jwks: { inline: '${jwks}' } } }, rules: [{ match: { prefix: / }, requires: bench }] } }`;

/** Everything measured, in the order of the table. */
export const contenders: readonly Contender[] = [
  portico('Portico, filters off', '[]'),
  portico('Portico, default chain', `[{ name: request-id }, ${log}]`),
  portico('Portico, JWT + limit + log', `[{ name: request-id }, ${log}, ${jwt}, ${limit}]`),
  portico('Portico, filters off, undici to the app', '[]', ['client']),
  portico('Portico, filters off, undici and node:http', '[]', ['server', 'client']),
  nodeProxy('http-proxy-3', 'http-proxy-3.ts', 'keep-alive'),
  nodeProxy('http-proxy-3, as it comes', 'http-proxy-3.ts', 'as-it-comes'),
  nodeProxy('@fastify/http-proxy', 'fastify-http-proxy.ts'),
  nginx,
  haproxy,
  caddy,
  envoy,
];
