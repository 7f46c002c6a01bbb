import { readCases } from '../../src/conformance/case-file.ts';

/** What goes through: the nearer a message is to these, the deeper it gets. */
const good = [
  'GET / HTTP/1.1\r\nHost: t\r\n\r\n',
  'GET /a/b?c=d&e=%20 HTTP/1.1\r\nHost: t:80\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nCookie: a=b; c=d\r\nUser-Agent: x/1.0\r\n\r\n',
  'HEAD /a HTTP/1.1\r\nHost: t\r\nConnection: keep-alive\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: t\r\nMax-Forwards: 1\r\n\r\n',
  'GET http://t/x HTTP/1.1\r\nHost: t\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello',
  'PUT /a HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n1\r\nZ\r\na;b=c\r\n0123456789\r\n23\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n\r\n0\r\nX-Sum: 1\r\n\r\n',
  'DELETE /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: x-a\r\nX-A: b\r\n\r\n0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi',
  'GET /1 HTTP/1.1\r\nHost: t\r\n\r\nPOST /2 HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n',
].map((text) => Buffer.from(text, 'latin1'));

const goodAnswers = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5;a=b\r\nhello\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 100\r\n\r\n',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n',
].map((text) => Buffer.from(text, 'latin1'));

/** Requests to start from: half are those that go through. */
export function requestSeeds(): Buffer[] {
  const cases = readCases('h1-');
  const through = cases.filter(({ fields }) => fields.get('app') !== 'nothing').map(({ bytes }) => bytes);
  return [...cases.map(({ bytes }) => bytes), ...through, ...through, ...repeated(good, 15)];
}

/** Answers of an app to start from. */
export function answerSeeds(): Buffer[] {
  return [...readCases('responses').map(({ bytes }) => bytes), ...repeated(goodAnswers, 7)];
}

function repeated(seeds: readonly Buffer[], times: number): Buffer[] {
  return Array.from({ length: times }, () => seeds).flat();
}
