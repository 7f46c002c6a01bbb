import { describe, expect, it } from 'vitest';
import { parseCases } from '../../../src/conformance/case-file.ts';
import { judge } from '../../../src/conformance/judge.ts';
import type { Observed } from '../../../src/conformance/observe.ts';
import { readMessageHead } from '../../../src/conformance/read-message.ts';
import type { RecordedRequest } from '../../../src/conformance/recorder.ts';

const wireCase = (fields: string) => parseCases(`# Group\n\n## X01 title\n${fields}\n> GET`, 'x.txt')[0]!;
const refused = wireCase('client: 400 why, closed\napp: nothing');

function request(text: string, complete = true): RecordedRequest {
  const head = readMessageHead(text);
  if (typeof head === 'string') throw new Error(head);
  return { ...head, connection: 1, body: Buffer.alloc(0), complete };
}

function seen(client: string, app: string, requests: RecordedRequest[] = [], unreadable: string[] = []): Observed {
  const closed = client.endsWith('closed');
  return { client, app, requests, unreadable, seen: { messages: [], closed, raw: '', unreachable: undefined } };
}

const get = request('GET / HTTP/1.1\r\nHost: t\r\n');

describe('a case that is to be refused', () => {
  it.each([
    ['refused and closed', seen('400, closed', 'nothing'), 'ok', []],
    ['cut without a word', seen('closed', 'nothing'), 'ok', []],
    ['refused and left open', seen('400, open', 'nothing'), 'differs', ['the connection stays open']],
    ['not answered', seen('open', 'nothing'), 'differs', ['waits instead of refused']],
    ['forwarded', seen('200, open', 'GET /', [get]), 'differs', ['forwarded instead of refused']],
    [
      'made two of',
      seen('200, 200, open', 'GET /; GET /b', [get, request('GET /b HTTP/1.1\r\n')]),
      'dangerous',
      ['2 requests out of 1: GET /b'],
    ],
    [
      'passed on as it is, twice',
      seen('502, open', 'unreadable', [], ['bare LF: GET', 'bare LF: GET']),
      'dangerous',
      ['passed on: bare LF'],
    ],
  ] as const)('and is %s', (_, observed, verdict, reasons) => {
    expect(judge(refused, observed)).toEqual({ verdict, reasons });
  });

  it('may be forwarded when the case says so', () => {
    expect(
      judge(wireCase('client: 400 why, closed\napp: nothing\nalso: GET /'), seen('200, open', 'GET /', [get])).verdict,
    ).toBe('ok');
  });
});

describe('a case that is to be forwarded', () => {
  const forwarded = wireCase('client: 200, closed\napp: GET /\napp-has: x-a: 1, 2\napp-lacks: x-b');

  it.each([
    ['forwarded', 'X-A: 1, 2\r\n', '200, closed', []],
    ['forwarded with two lines for one', 'X-A: 1\r\nX-A: 2\r\n', '200, closed', []],
    ['forwarded without a field', '', '200, closed', ['the app lacks x-a: 1, 2']],
    ['forwarded with one too many', 'X-A: 1, 2\r\nX-B: 1\r\n', '200, closed', ['the app is given x-b']],
    [
      'forwarded with a control byte',
      'X-A: 1, 2\r\nX-C: \x01\r\n',
      '200, closed',
      ['the app is given a control byte in a value'],
    ],
    ['left open', 'X-A: 1, 2\r\n', '200, open', ['the connection stays open']],
    ['not answered', 'X-A: 1, 2\r\n', '502, closed', ['the app has answered 1, the client has 0']],
  ])('and is %s', (_, fields, client, reasons) => {
    const observed = seen(client, 'GET /', [request(`GET / HTTP/1.1\r\n${fields}`)]);
    expect(judge(forwarded, observed)).toEqual({ verdict: reasons.length === 0 ? 'ok' : 'differs', reasons });
  });

  it('and has a semicolon in its content, is one request', () => {
    const two = [get, request('GET /b HTTP/1.1\r\n')];
    expect(
      judge(wireCase('client: 200, open\napp: POST / "a; GET /b"'), seen('200, 200, open', 'GET /; GET /b', two))
        .verdict,
    ).toBe('dangerous');
    expect(
      judge(wireCase('client: 200, 200, open\napp: GET /; GET /b'), seen('200, 200, open', 'GET /; GET /b', two))
        .verdict,
    ).toBe('ok');
  });
});

describe('a message that never ends', () => {
  const endless = wireCase('client: open\napp: POST / "hello" incomplete');

  it.each([
    [
      'passed on without an end',
      seen('open', 'POST / "hello" incomplete', [request('POST / HTTP/1.1\r\n', false)]),
      'ok',
    ],
    ['kept back', seen('open', 'nothing'), 'ok'],
    ['refused', seen('413, closed', 'nothing'), 'ok'],
    ['given an end', seen('200, open', 'POST / "hello"', [request('POST / HTTP/1.1\r\n')]), 'dangerous'],
  ] as const)('and is %s', (_, observed, verdict) => {
    expect(judge(endless, observed).verdict).toBe(verdict);
  });
});
