import { describe, expect, it } from 'vitest';
import { compileFormat, escapeText } from '../../../src/format/index.ts';
import { Headers, noBody, type Exchange } from '../../../src/http/index.ts';
import { makeExchange, type ExchangeOptions } from '../../support/filter-harness.ts';

/** An exchange that was answered by the app. */
function finished(options: ExchangeOptions = {}): Exchange {
  const exchange = makeExchange({
    method: 'POST',
    path: '/items?id=7',
    authority: 'shop.test',
    scheme: 'https',
    headers: { 'User-Agent': 'curl/8', 'x-list': ['a', 'b'], 'x-empty': '' },
    clientAddress: '10.1.2.3',
    now: { time: Date.UTC(2026, 0, 2, 3, 4, 5, 67), monotonic: 5 },
    downstream: {
      connectionId: 42,
      remotePort: 40000,
      localPort: 443,
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', serverName: 'shop.test', peerSubject: undefined },
    },
    ...options,
  });
  exchange.response = { status: 201, headers: Headers.of({ 'content-type': 'text/plain' }), body: noBody };
  exchange.route = { virtualHost: 'app', route: 'items' };
  exchange.upstream = { cluster: 'app', endpoint: '127.0.0.1:8080', attempts: 2, serviceTime: 7.4, failure: undefined };
  exchange.responseCodeDetails = 'via_upstream';
  exchange.bytesReceived = 10;
  exchange.bytesSent = 200;
  exchange.requestDuration = 1.2;
  exchange.responseDuration = 9.6;
  exchange.duration = 12.4;
  return exchange;
}

describe('compileFormat', () => {
  it.each([
    ['', ''],
    ['plain text', 'plain text'],
    ['100 %%', '100 %'],
    ['%%DURATION%%', '%DURATION%'],
    ['%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%', 'POST /items?id=7 shop.test https'],
    ['%REQ(host)%', 'shop.test'],
    ['%REQ(USER-AGENT)%', 'curl/8'],
    ['%REQ(user-agent):4%', 'curl'],
    ['%REQ(x-list)%', 'a, b'],
    ['[%REQ(x-empty)%]', '[]'],
    ['%REQ(x-none)%', '-'],
    ['%REQ(x-none?user-agent)%', 'curl/8'],
    ['%REQ(x-none?:PATH):6%', '/items'],
    ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', '/items?id=7'],
    ['%RESP(Content-Type)% %RESP(:STATUS)% %RESP(x)%', 'text/plain 201 -'],
    ['%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% %UPSTREAM_SERVICE_TIME%', '7 7'],
    ['%START_TIME%', '2026-01-02T03:04:05.067Z'],
    ['%START_TIME(%d/%b/%Y:%H:%M:%S %z)%', '02/Jan/2026:03:04:05 +0000'],
    [
      '%START_TIME(%s.%3f %6f %f %j %a %F %T %E3S %Ez %%)%',
      '1767323045.067 067000 067000000 002 Fri 2026-01-02 03:04:05 05.067 +00:00 %',
    ],
    ['%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', '12 1 10 3'],
    ['%BYTES_RECEIVED% %BYTES_SENT% %PROTOCOL%', '10 200 HTTP/1.1'],
    ['%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%', '201 via_upstream -'],
    ['%ROUTE_NAME% %VIRTUAL_HOST_NAME%', 'items app'],
    ['%UPSTREAM_CLUSTER% %UPSTREAM_HOST% %UPSTREAM_REQUEST_ATTEMPT_COUNT%', 'app 127.0.0.1:8080 2'],
    ['%UPSTREAM_TRANSPORT_FAILURE_REASON%', '-'],
    ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '10.1.2.3:40000 10.1.2.3'],
    [
      '%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%',
      '127.0.0.1:443 127.0.0.1 443',
    ],
    ['%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_PEER_SUBJECT%', 'TLSv1.3 TLS_AES_128_GCM_SHA256 -'],
    ['%REQUESTED_SERVER_NAME% %CONNECTION_ID%', 'shop.test 42'],
    ['a%CONNECTION_ID%b%CONNECTION_ID%', 'a42b42'],
  ])('%j gives %j', (format, expected) => {
    expect(compileFormat(format)(finished())).toBe(expected);
  });

  it('tells the path before and after a rewrite', () => {
    const exchange = finished();
    exchange.request.path = '/v2/items';
    expect(compileFormat('%REQ(:PATH)% %REQ(X-Envoy-Original-Path)%')(exchange)).toBe('/v2/items /items?id=7');
  });

  it('tells the connection from the client that trusted proxies name', () => {
    const exchange = finished({ clientAddress: '::1' });
    exchange.clientAddress = '2001:db8::7';
    expect(compileFormat('%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%')(exchange)).toBe(
      '[2001:db8::7]:0 [::1]:40000',
    );
    const local = finished({ clientAddress: 'unix' });
    expect(compileFormat('%DOWNSTREAM_REMOTE_ADDRESS%')(local)).toBe('unix');
  });

  it('tells 0 and - when the client left before there was an answer', () => {
    const exchange = makeExchange();
    exchange.addFlag('DC');
    const format =
      '%RESPONSE_CODE% %RESP(:STATUS)% %RESPONSE_FLAGS% %DURATION% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %ROUTE_NAME%';
    expect(compileFormat(format)(exchange)).toBe('0 - DC - 0 -');
  });

  it('writes several flags in the order of their table', () => {
    const exchange = makeExchange();
    exchange.addFlag('URX');
    exchange.addFlag('UF');
    expect(compileFormat('%RESPONSE_FLAGS%')(exchange)).toBe('UF,URX');
  });

  it('writes what the caller wants for unset, and escapes values only', () => {
    const exchange = makeExchange({ headers: { a: 'x"\r\n\x1b[31m\x7f\x80é\\' } });
    expect(compileFormat('"%REQ(b)%"', { unset: '' })(exchange)).toBe('""');
    expect(compileFormat('"%REQ(a)%"', { escape: escapeText })(exchange)).toBe(
      String.raw`"x\"\r\n\x1b[31m\x7f\x80\xe9\\"`,
    );
  });

  it('reads the environment when it is compiled', () => {
    process.env['PORTICO_TEST_ZONE'] = 'eu-1';
    const format = compileFormat('%ENVIRONMENT(PORTICO_TEST_ZONE)% %ENVIRONMENT(PORTICO_TEST_NONE)%');
    delete process.env['PORTICO_TEST_ZONE'];
    expect(format(makeExchange())).toBe('eu-1 -');
  });

  it.each([
    ['%RESPONSE_COD%', 'unknown operator %RESPONSE_COD%; did you mean %RESPONSE_CODE%?'],
    ['%request_duration%', 'did you mean %REQUEST_DURATION%?'],
    ['%REQS(x)%', 'did you mean %REQ(X?Y):Z%?'],
    ['%toString%', 'unknown operator %toString%'],
    ['%REQ%', 'needs an argument: %REQ(X?Y):Z%'],
    ['%REQ()%', 'needs an argument'],
    ['%REQ(a b)%', 'needs a header name'],
    ['%REQ(a?b?c)%', 'one alternative'],
    ['%REQ(:FOO)%', 'knows :METHOD'],
    ['%RESP(:PATH)%', 'knows :STATUS'],
    ['%DURATION(ms)%', 'takes no argument'],
    ['%START_TIME(%Q)%', 'unknown conversion %Q'],
    ['50% off', 'write %% for a percent sign'],
    ['%DURATION', 'at position 1'],
    ['%REQ(x):y%', 'begins no operator'],
  ])('refuses %j: %s', (format, message) => {
    expect(() => compileFormat(format)).toThrow(message);
  });

  it.each([
    ['/a?token=s3cret&x=1', '/a?token=***&x=1'],
    ['/a?x=1&%74oken=s3cret', '/a?x=1&%74oken=***'],
    ['/a?TOKEN=s3cret&token[]=b&token=', '/a?TOKEN=***&token[]=***&token=***'],
    ['/a?tokens=1&token', '/a?tokens=1&token'],
    ['/a?%ff=1&token=x', '/a?%ff=1&token=***'],
    ['/token=1', '/token=1'],
  ])('hides named parameters of %s', (path, expected) => {
    const exchange = makeExchange({ path, headers: { referer: `https://h${path}`, 'x-url': path } });
    exchange.response = { status: 302, headers: Headers.of({ location: `/cb#/in?token=1&a=2` }), body: noBody };
    const format = compileFormat(
      '%REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-PATH)% %REQ(referer)% %REQ(x-url)% %RESP(location)%',
      {
        redactQuery: ['token'],
      },
    );
    expect(format(exchange)).toBe(`${expected} ${expected} https://h${expected} ${path} /cb#/in?token=***&a=2`);
  });
});
