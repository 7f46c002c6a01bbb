/**
 * What single steps of the hot path cost, in nanoseconds: `node bench/micro.ts`. Medians of rounds in one process; each
 * step is checked before it is timed.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import * as v from 'valibot';
import accessLog from '../filters/access-log.ts';
import jwtAuth from '../filters/jwt-auth.ts';
import { FilterChain } from '../src/filter/chain.ts';
import { createInstance } from '../src/filter/instance.ts';
import { Exchange, Headers, noBody, type Downstream } from '../src/http/index.ts';
import { HeadReader, isWireFault, parseRequestHead, parseResponseHead } from '../src/http1/index.ts';
import { fieldName, FrameWriter, HeaderDecoder, HeaderEncoder } from '../src/http2/index.ts';
import { virtualHostSchema } from '../src/router/config.ts';
import { compileRouteTable } from '../src/router/route-table.ts';
import { Stats } from '../src/stats/index.ts';
import type { FilterDefinition } from '../src/filter/define-filter.ts';

const downstream: Downstream = {
  listener: 'http',
  connectionId: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 40000,
  localAddress: '127.0.0.1',
  localPort: 80,
  tls: undefined,
};
const requestText =
  'GET /items/7?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,application/json;q=0.9\r\n' +
  'Accept-Encoding: gzip, br\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef; theme=dark\r\nReferer: https://shop.example/\r\nConnection: keep-alive\r\n';
const requestBytes = Buffer.from(`${requestText}\r\n`);
const responseText =
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 113\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nETag: "abc"\r\nCache-Control: no-store\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\n';
const limits = { maxHeadersCount: 100, maxUriBytes: 8192, rejectUnderscores: true };

function exchange(path: string, headers: Record<string, string> = {}, authority = 'shop.example'): Exchange {
  return new Exchange(
    downstream,
    'HTTP/1.1',
    { method: 'GET', scheme: 'http', authority, path, headers: Headers.of(headers), body: noBody, upgrade: undefined },
    '127.0.0.1',
    { time: Date.now(), monotonic: performance.now() },
  );
}

async function filter(name: string, definition: FilterDefinition, config: unknown): Promise<FilterChain> {
  const { link } = await createInstance(
    { name, id: name, definition, config: v.parse(definition.config!, config), shadow: false, route: undefined },
    {
      stats: new Stats(),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      cluster: () => undefined,
      resolvePath: (path) => path,
    },
  );
  return new FilterChain([link]);
}

const steps: Record<string, () => void> = {};

{
  steps['read and parse a request head of 8 fields'] = () => {
    const read = new HeadReader(60 * 1024).read(requestBytes);
    assert(read !== undefined && !isWireFault(read));
    assert(!isWireFault(parseRequestHead(read.text, limits)));
  };
  steps['parse a response head of 7 fields'] = () => {
    assert(!isWireFault(parseResponseHead(responseText, 1000)));
  };
}
{
  // The second block of a connection: what repeats is in the table, the path is not (RFC 7541 §6.2.2, Huffman coded).
  const fields = requestText
    .split('\r\n')
    .slice(2, -2)
    .map((line) => line.split(': '));
  const encoder = new HeaderEncoder();
  const names = new Map(fields.map(([name]) => [name!, fieldName(name!.toLowerCase())]));
  const block = (): Buffer => {
    const to = new FrameWriter();
    to.beginBlock();
    encoder.begin(to);
    for (const [name, value] of fields) encoder.field(to, names.get(name!)!, value!);
    to.endBlock(1, true);
    return Buffer.concat(to.take());
  };
  const decoder = new HeaderDecoder();
  const list = { maxSize: 60 * 1024, maxCount: 100 };
  const first = [block(), block()];
  for (const bytes of first) assert(typeof decoder.decode(bytes, 9, bytes.length, list) !== 'string');
  const path = Buffer.concat([Buffer.from('8287018cf1e3c2e5f23a6ba0ab90f4ff', 'hex'), block().subarray(9)]);
  steps['write a block of fields that repeat'] = () => {
    assert(block().length > 9);
  };
  steps['read a block of fields that repeat, with an authority that does not'] = () => {
    assert(typeof decoder.decode(path, 0, path.length, list) !== 'string');
  };
}
{
  const hosts = Array.from({ length: 100 }, (_, host) =>
    v.parse(virtualHostSchema, {
      name: `host-${host}`,
      domains: [`host-${host}.example`],
      routes: Array.from({ length: 10 }, (_, route) => ({
        match: { prefix: `/service-${route}/` },
        direct_response: { status: 200, body: 'x' },
      })),
    }),
  );
  const table = compileRouteTable(hosts, {
    cluster: () => undefined,
    clusterNames: [],
    chainFor: () => new FilterChain([]),
    notFoundChain: new FilterChain([]),
    stats: new Stats(),
    random: Math.random,
    clock: { monotonic: () => performance.now() },
  });
  const last = exchange('/service-9/items?x=1', {}, 'host-99.example').request;
  assert.equal(table.match(last).facts.route, 'host-99/9');
  steps['find the last of 1,000 routes in 100 virtual hosts'] = () => void table.match(last);
}
{
  const headers = new Headers([
    'Accept',
    '*/*',
    'User-Agent',
    'x',
    'Cookie',
    'a=b',
    'Authorization',
    'Bearer x',
    'X-A',
    '1',
  ]);
  steps['look up two headers of five'] = () => {
    assert(headers.get('authorization') !== undefined && headers.get('x-missing') === undefined);
  };
}
{
  const chain = await filter('access-log', accessLog, { path: '/dev/null' });
  const finished = exchange('/items/7', { 'user-agent': 'Mozilla/5.0', 'x-request-id': '0' });
  finished.duration = 1;
  steps['write an access-log line (default JSON)'] = () => chain.onLog(finished);
}
{
  const secret = 'bench-bench-bench-bench-bench-bench';
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', kid: 'b' })}.${encode({ iss: 'bench', sub: 'ada', exp: 4e9 })}`;
  const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  const inline = JSON.stringify({
    keys: [{ kty: 'oct', kid: 'b', alg: 'HS256', k: Buffer.from(secret).toString('base64url') }],
  });
  const chain = await filter('jwt-auth', jwtAuth, {
    providers: { main: { issuer: 'bench', algorithms: ['HS256'], local_jwks: { inline } } },
    rules: [{ match: { prefix: '/' }, requires: 'main' }],
  });
  const authorization = `Bearer ${token}`;
  assert.equal(await chain.onRequest(exchange('/', { authorization }), { reached: 0 }), undefined);
  const make = () => exchange('/', { authorization });
  steps['make an exchange with one header (part of the next)'] = () => void make();
  steps['pass jwt-auth with a verified token'] = () => {
    assert.equal(chain.onRequest(make(), { reached: 0 }), undefined);
  };
}

const rounds = 9;
const widest = Math.max(...Object.keys(steps).map((name) => name.length));
console.log(`Node ${process.versions.node}, medians of ${rounds} rounds, nanoseconds a call`);
for (const [name, step] of Object.entries(steps)) {
  for (let at = 0; at < 20_000; at++) step();
  const results: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const calls = 20_000;
    const started = performance.now();
    for (let at = 0; at < calls; at++) step();
    results.push(((performance.now() - started) / calls) * 1e6);
    // The access log's queue empties, and garbage of one round is not charged to the next.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  results.sort((a, b) => a - b);
  console.log(`${name.padEnd(widest)}  ${results[Math.floor(rounds / 2)]!.toFixed(0).padStart(6)}`);
}
process.exit(0);
