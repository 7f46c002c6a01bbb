import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWireFault } from '../../../src/http1/index.ts';
import { Random } from '../../support/random.ts';
import { answered, Lanes } from './lanes.ts';
import { parseHead } from './parse.ts';
import { seed } from './seed.ts';

/** Fields that a client may nominate, and is then rid of. */
const ordinary = [
  'X-User-Id',
  'x-custom',
  'Accept',
  'Range',
  'Cookie2',
  'If-Match',
  "!#$%&'*+-.^`|~",
  'constructor',
  'toString',
];
/** Fields that the app must go on seeing, or never sees, whatever `Connection` says. */
const needed = ['Host', 'Content-Length', 'Content-Type', 'Authorization', 'Cookie'];
const vouchedFor = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Real-IP', 'Forwarded', 'Via'];
const connectionOnly = [
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Upgrade',
  'HTTP2-Settings',
  'Proxy-Authorization',
];

/** Ways to write one option into `Connection`. */
const listings: readonly ((name: string) => string)[] = [
  (name) => `Connection: ${name}`,
  (name) => `Connection: ${name.toUpperCase()}`,
  (name) => `Connection: ${name.toLowerCase()}`,
  (name) => `Connection: close, ${name}`,
  (name) => `Connection: ${name},close`,
  (name) => `Connection: keep-alive,${name} , x-other`,
  (name) => `Connection: , ,\t${name}\t,,`,
  (name) => `Connection: x-other\r\nConnection: ${name}`,
  (name) => `CONNECTION:${name}`,
  (name) => `Connection: ${name}, ${name}`,
];
/** What is not a list of options. */
const malformed: readonly ((name: string) => string)[] = [
  (name) => `Connection: ${name} x`,
  (name) => `Connection: "${name}"`,
  (name) => `Connection: ${name};a=b`,
  (name) => `Connection: ${name}/1`,
  (name) => `Connection: ${name}\x01`,
  (name) => `Connection: ${name}:`,
  (name) => `Connection: (${name})`,
  (name) => `Connection: ${name}\xff`,
  (name) => `Connection: \xa0${name}`,
  (name) => `Connection: ${name}\xa0, x`,
];

const head = (lines: string) =>
  `POST / HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nAuthorization: Bearer x\r\nCookie: a=b\r\nContent-Length: 2\r\n${lines}\r\n\r\nhi`;
const sent = (name: string, listing: string) =>
  head(needed.includes(name) ? listing : `${name}: sent by client\r\n${listing}`);

function* cases(): Generator<{ name: string; text: string }> {
  for (const name of [...ordinary, ...needed, ...vouchedFor, ...connectionOnly]) {
    for (const listing of listings) {
      yield { name, text: sent(name, listing(name)) };
      // The field may as well stand behind.
      if (!needed.includes(name)) yield { name, text: head(`${listing(name)}\r\n${name}: sent by client`) };
    }
  }
}

describe('a Connection listing', () => {
  it('removes what it names, except what the proxy and the app rest on', () => {
    for (const { name, text } of cases()) {
      const parsed = parseHead([Buffer.from(text, 'latin1')]);
      if (parsed === undefined || isWireFault(parsed)) throw new Error(`${parsed?.details}: ${text}`);
      const { fields } = parsed.head;
      const names = fields.flat.filter((_, at) => at % 2 === 0).map((one) => one.toLowerCase());
      if (ordinary.includes(name)) expect(names, text).not.toContain(name.toLowerCase());
      for (const field of ['content-type', 'authorization', 'cookie']) expect(names, text).toContain(field);
      expect([fields.host, fields.contentLength], text).toEqual(['t', 2]);
      for (const field of connectionOnly)
        if (field !== 'Proxy-Authorization') expect(names, text).not.toContain(field.toLowerCase());
      expect(names, text).not.toContain('connection');
    }
  });

  it('is refused when it is none', () => {
    for (const name of [...ordinary, ...needed]) {
      for (const listing of malformed) {
        const text = sent(name, listing(name));
        const parsed = parseHead([Buffer.from(text, 'latin1')]);
        expect(parsed !== undefined && isWireFault(parsed), text).toBe(true);
      }
    }
  });

  describe('through a running Portico', () => {
    let lanes: Lanes;
    beforeAll(async () => void (lanes = await Lanes.open(6)));
    afterAll(() => lanes?.close());

    it('leaves the app with what it needs, and with what Portico says about the client', async () => {
      const random = new Random(seed);
      const sample = random.sample([...cases()], 250);
      const observed = await lanes.observeAll(
        sample.map(({ text }) => Buffer.from(text, 'latin1')),
        () => answered,
      );
      const wrong = sample.flatMap(({ name, text }, index) => {
        const seen = observed[index]!;
        const fields = Object.groupBy(seen.requests[0]?.fields ?? [], ([field]) => field);
        const values = (field: string) => (fields[field] ?? []).map(([, value]) => value);
        const faults: (string | undefined)[] = [lanes.wrongAtTheApp(seen)];
        const must = (field: string, wanted: readonly string[]) => {
          const got = values(field);
          if (JSON.stringify(got) !== JSON.stringify(wanted)) faults.push(`${field} is ${JSON.stringify(got)}`);
        };
        if (seen.app !== 'POST / "hi"') faults.push(`the app saw ${seen.app}`);
        must('host', ['t']);
        must('content-length', ['2']);
        must('content-type', ['text/plain']);
        must('authorization', ['Bearer x']);
        must('cookie', ['a=b']);
        must('x-forwarded-proto', ['http']);
        must('x-forwarded-host', ['t']);
        if (!/(?:^|, )127\.0\.0\.1$/.test(values('x-forwarded-for').join('|')))
          faults.push(`x-forwarded-for is ${values('x-forwarded-for').join('|')}`);
        if (ordinary.includes(name)) must(name.toLowerCase(), []);
        if (name === 'X-Real-IP') must('x-real-ip', ['127.0.0.1']);
        if (name === 'Forwarded') must('forwarded', []);
        for (const field of connectionOnly) must(field.toLowerCase(), []);
        const first = faults.find((fault) => fault !== undefined);
        return first === undefined ? [] : [`${first}: ${JSON.stringify(text)}`];
      });
      expect(wrong, `seed ${seed}`).toEqual([]);
    }, 60_000);
  });
});
