import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escape } from '../../../src/conformance/case-file.ts';
import { isWireFault } from '../../../src/http1/index.ts';
import { normalizePath } from '../../../src/listener/normalize-path.ts';
import { Random } from '../../support/random.ts';
import { answered, Lanes, refused } from './lanes.ts';
import { parseHead } from './parse.ts';
import { seed } from './seed.ts';

const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const hex = (code: number) => code.toString(16).padStart(2, '0');

/** Every byte, plain and percent-encoded, at every place of a target. */
function* withEveryByte(): Generator<string> {
  for (const [code, byte] of bytes.entries()) {
    for (const piece of [byte, `%${hex(code)}`, `%${hex(code).toUpperCase()}`]) {
      yield piece;
      yield `/${piece}`;
      yield `/a${piece}b`;
      yield `/a/${piece}/b`;
      yield `/a/${piece}${piece}/b`;
      yield `/a?${piece}`;
      yield `/a?b=${piece}/../c`;
    }
  }
}

/** What dot segments, slashes and their disguises are made of. */
const pieces = [
  '/',
  '//',
  '.',
  '..',
  '...',
  ';',
  'a',
  'b',
  '%2e',
  '%2E',
  '%2f',
  '%5C',
  '\\',
  '%3b',
  '%25',
  '%252e',
  '%00',
  '%',
  '%c0%ae',
  '%e0%80%ae',
  '?',
  '#',
  ':',
  '@',
  '*',
  '~',
  '%41',
  '%ff',
  '..;',
  '.;a=b',
];

function* paths(random: Random, count: number): Generator<string> {
  for (let number = 0; number < count; number++) {
    yield `/${Array.from({ length: 1 + random.below(7) }, () => random.pick(pieces)).join('')}`;
  }
}

/** What an app sees that decodes a path once and then resolves its dot segments, as most do. */
function asAnAppResolves(path: string): string[] {
  const decoded = path
    .split('?')[0]!
    .replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  return decoded.split(/[/\\]/).map((segment) => segment.split(';')[0]!);
}

describe('a request target', () => {
  it('is visible ASCII without a fragment, or refused', () => {
    const wrong = [...withEveryByte()].filter((target) => {
      const parsed = parseHead([Buffer.from(`GET ${target} HTTP/1.1\r\nHost: t\r\n\r\n`, 'latin1')]);
      const accepted = parsed !== undefined && !isWireFault(parsed);
      return accepted !== /^[!-~]+$/.test(target) || (accepted && target.includes('#'));
    });
    expect(wrong.filter((target) => !target.includes('#')).map(escape)).toEqual([]);
    for (const target of ['#', '/#', '/a#b', '/a?#'])
      expect(parseHead([Buffer.from(`GET ${target} HTTP/1.1\r\nHost: t\r\n\r\n`)])).toMatchObject({
        details: 'target_with_fragment',
      });
  });

  it('has one spelling, from which nothing that resolves dot segments comes to another place', () => {
    const random = new Random(seed);
    const wrong: string[] = [];
    for (const target of [...withEveryByte(), ...paths(random, 60_000)]) {
      const normalized = normalizePath(target, 'reject');
      if ('refused' in normalized) continue;
      const { path } = normalized;
      const again = normalizePath(path, 'reject');
      if ('refused' in again || again.path !== path)
        wrong.push(`not stable: ${target} → ${path} → ${JSON.stringify(again)}`);
      if (!/^\/[!-~]*$/.test(path)) wrong.push(`not visible: ${target} → ${path}`);
      const segments = asAnAppResolves(path);
      // An empty segment may stand first and last: before the first and behind the last slash.
      if (
        segments.some(
          (segment, at) =>
            segment === '.' ||
            segment === '..' ||
            (segment === '' && at > 0 && at < segments.length - 1 && !emptyByParameter(path, at)),
        )
      )
        wrong.push(`goes elsewhere: ${target} → ${path}`);
    }
    expect(wrong.slice(0, 10), `seed ${seed}`).toEqual([]);
  });

  it('keeps its query as it came', () => {
    for (const byte of bytes.filter((one) => /[!-~]/.test(one) && one !== '#')) {
      expect(normalizePath(`/a/../b?${byte}/../%2e%2f`, 'reject')).toEqual({ path: `/b?${byte}/../%2e%2f` });
    }
  });

  describe('through a running Portico', () => {
    let lanes: Lanes;
    beforeAll(async () => void (lanes = await Lanes.open(6)));
    afterAll(() => lanes?.close());

    it('reaches the app in that spelling, or not at all', async () => {
      const random = new Random(seed);
      const sample = [...random.sample([...withEveryByte()], 250), ...paths(random, 150)];
      const atTheApp = sample.map((target) => {
        const normalized = /^[!-~]+$/.test(target) ? normalizePath(target, 'reject') : { refused: 'bytes' };
        return 'path' in normalized ? [normalized.path] : [];
      });
      const observed = await lanes.observeAll(
        sample.map((target) => Buffer.from(`GET ${target} HTTP/1.1\r\nHost: t\r\n\r\n`, 'latin1')),
        (index) => (atTheApp[index]!.length === 0 ? refused : answered),
      );
      const wrong = sample.flatMap((target, index) => {
        const seen = observed[index]!;
        const wanted = atTheApp[index]!;
        const got = seen.requests.map((request) => request.target);
        let why = lanes.wrongAtTheApp(seen);
        if (JSON.stringify(got) !== JSON.stringify(wanted))
          why ??= `the app saw ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`;
        if (wanted.length === 0 && !/^4\d\d \w+, closed$/.test(seen.client)) why ??= `the client saw ${seen.client}`;
        return why === undefined ? [] : [`${why}: ${escape(target)}`];
      });
      expect(wrong, `seed ${seed}`).toEqual([]);
    }, 60_000);
  });
});

/** `/;a/` is a segment with nothing but a parameter: not one that anybody removes. */
function emptyByParameter(path: string, at: number): boolean {
  return /^(?:;|%3b)/i.test(path.split('?')[0]!.split('/')[at] ?? '');
}
