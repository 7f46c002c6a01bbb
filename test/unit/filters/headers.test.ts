import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import filter from '../../../filters/headers.ts';
import { Headers, noBody } from '../../../src/http/index.ts';
import { makeExchange, startFilter } from '../../support/filter-harness.ts';

type Config = v.InferInput<NonNullable<typeof filter.config>>;
type Lines = readonly (readonly [string, string])[];

/** The lines of a request after the filter. */
async function request(edits: Config['request'], headers: Lines = [], path = '/'): Promise<Lines> {
  const { hooks } = await startFilter(filter, { request: edits });
  const exchange = makeExchange({ headers, path, authority: 'shop.test', clientAddress: '10.1.2.3' });
  await hooks.onRequest?.(exchange.request, exchange);
  return [...exchange.request.headers];
}

function faults(config: unknown): string[] {
  const result = v.safeParse(filter.config!, config);
  return (result.issues ?? []).map((issue) => `${v.getDotPath(issue)}: ${issue.message}`);
}

describe('headers', () => {
  it.each<[string, Config['request'], Lines, Lines]>([
    [
      'sets, in the case that is written',
      { set: { 'X-Team': 'shop' } },
      [['a', '1']],
      [
        ['a', '1'],
        ['X-Team', 'shop'],
      ],
    ],
    [
      'sets at the place of the first, once',
      { set: { 'x-a': '2' } },
      [
        ['X-A', '1'],
        ['b', '1'],
        ['x-A', '3'],
      ],
      [
        ['x-a', '2'],
        ['b', '1'],
      ],
    ],
    [
      'appends behind what is there',
      { append: { 'x-a': '2' } },
      [
        ['x-a', '1'],
        ['b', '1'],
      ],
      [
        ['x-a', '1'],
        ['b', '1'],
        ['x-a', '2'],
      ],
    ],
    [
      'appends many',
      { append: { 'x-a': ['1', '2'] } },
      [],
      [
        ['x-a', '1'],
        ['x-a', '2'],
      ],
    ],
    [
      'adds if absent',
      { add_if_absent: { 'x-a': '2', 'x-b': '2' } },
      [['X-A', '1']],
      [
        ['X-A', '1'],
        ['x-b', '2'],
      ],
    ],
    [
      'removes all of a name',
      { remove: ['x-a', 'x-none'] },
      [
        ['X-A', '1'],
        ['b', '1'],
        ['x-a', '2'],
      ],
      [['b', '1']],
    ],
    ['removes before it adds', { remove: ['x-a'], append: { 'x-a': '2' } }, [['x-a', '1']], [['x-a', '2']]],
    ['renames', { remove: ['x-a'], set: { 'x-b': '%REQ(x-a)%' } }, [['x-a', '1']], [['x-b', '1']]],
    [
      'fills in operators',
      { set: { a: '%REQ(x?:PATH)% from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%, 100%%' } },
      [],
      [['a', '/ from 10.1.2.3, 100%']],
    ],
    ['reads the host', { set: { 'x-host': '%REQ(:AUTHORITY)%' } }, [], [['x-host', 'shop.test']]],
    [
      'drops what comes out empty',
      { set: { a: '%REQ(x)%' }, append: { b: ' %REQ(x)% ' }, add_if_absent: { c: '' } },
      [],
      [],
    ],
    [
      'leaves no copy of the client behind when the value is empty',
      { set: { 'x-user': '%REQ(x)%' } },
      [['x-user', 'root']],
      [],
    ],
    [
      'passes bytes on as they are',
      { set: { a: '%REQ(b)%' } },
      [['b', 'caf\xc3\xa9 \x80\xff\xa0']],
      [
        ['b', 'caf\xc3\xa9 \x80\xff\xa0'],
        ['a', 'caf\xc3\xa9 \x80\xff\xa0'],
      ],
    ],
    ['writes text of the configuration in UTF-8', { set: { a: 'Zürich' } }, [], [['a', 'Z\xc3\xbcrich']]],
  ])('%s', async (_, edits, before, after) => {
    expect(await request(edits, before)).toEqual(after);
  });

  it('edits responses, and appends cookies one a line', async () => {
    const { hooks } = await startFilter(filter, {
      response: {
        set: { 'x-a': '%REQ(:METHOD)%' },
        append: { 'set-cookie': ['a=1; Path=/', 'b=2'] },
        remove: ['server'],
      },
    });
    expect('onRequest' in hooks).toBe(false);
    const response = { status: 200, headers: Headers.of({ 'Set-Cookie': 'c=3', Server: 'app/1' }), body: noBody };
    await hooks.onResponse!(response, makeExchange());
    expect([...response.headers]).toEqual([
      ['Set-Cookie', 'c=3'],
      ['x-a', 'GET'],
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2'],
    ]);
  });

  it('drops and counts a value with CR or LF, and the header of that name with it', async () => {
    const { hooks, stats } = await startFilter(filter, {
      request: {
        set: { 'x-user': 'u=%REQ(rude)%' },
        append: { 'x-b': '%REQ(rude)%' },
        add_if_absent: { 'x-c': '%REQ(rude)%', 'x-d': 'ok' },
      },
    });
    const exchange = makeExchange({ headers: { rude: 'a\r\nX-Admin: 1', 'x-user': 'root' } });
    await hooks.onRequest!(exchange.request, exchange);
    expect([...exchange.request.headers]).toEqual([
      ['rude', 'a\r\nX-Admin: 1'],
      ['x-d', 'ok'],
    ]);
    expect(stats.rejected).toBe(3);
  });

  it('drops a value that no header can carry', async () => {
    process.env['PORTICO_TEST_VALUE'] = 'two\nlines';
    onTestFinished(() => void delete process.env['PORTICO_TEST_VALUE']);
    const { hooks, stats } = await startFilter(filter, {
      request: { set: { a: '%ENVIRONMENT(PORTICO_TEST_VALUE)%', b: '%REQ(x)%' } },
    });
    const exchange = makeExchange({ headers: { x: 'a\r\n' } });
    await hooks.onRequest!(exchange.request, exchange);
    expect(exchange.request.headers.has('a') || exchange.request.headers.has('b')).toBe(false);
    expect(stats.rejected).toBe(2);
  });

  it('tells every fault with its place', () => {
    expect(
      faults({
        request: {
          set: { Host: 'a', 'Content-Length': '1', 'a b': 'x', x: '%REQ(', y: 'a\r\nb', ':path': '/', z: '%DURATIO%' },
          append: { 'set-cookie': ['ok', 'a\nb'], w: 4 },
          remove: ['Transfer-Encoding'],
          add_if_absent: { connection: 'close' },
        },
        response: { sett: {} },
      }),
    ).toEqual([
      'request.remove.0: Transfer-Encoding cannot be edited here: it follows from the body',
      'request.set.Host: Host cannot be edited here: the route rewrites it: host_rewrite',
      'request.set.Content-Length: Content-Length cannot be edited here: it follows from the body',
      'request.set.a b: must be a header name such as x-team, not "a b"',
      expect.stringMatching(/^request\.set\.x: has a % at position 1/),
      'request.set.y: has a control character such as a line end, which a header cannot carry',
      'request.set.:path: :path cannot be edited here: the route rewrites host and path',
      'request.set.z: unknown operator %DURATIO%; did you mean %DURATION%?',
      'request.add_if_absent.connection: connection cannot be edited here: it speaks of one connection only',
      'request.append.set-cookie.1: has a control character such as a line end, which a header cannot carry',
      'request.append.w: must be text or a list of texts',
      expect.stringMatching(/^response\.sett: /),
    ]);
  });

  it('has no hooks when there is nothing to do', async () => {
    const { hooks } = await startFilter(filter, {});
    expect(hooks).toEqual({});
  });
});
