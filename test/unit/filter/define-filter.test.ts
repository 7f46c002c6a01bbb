import { cidr, defineFilter, duration, localReply, note, v, type Cidr } from 'portico';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { makeExchange, startFilter } from '../../support/filter-harness.ts';

describe('defineFilter', () => {
  it('infers the type of the options from their schema, in the form that comes out', () => {
    defineFilter({
      doc: 'For the types.',
      config: v.strictObject({
        allow: v.array(cidr()),
        wait: v.optional(duration(), '1s'),
        name: v.optional(v.string()),
      }),
      create(config) {
        expectTypeOf(config.allow).toEqualTypeOf<Cidr[]>();
        expectTypeOf(config.wait).toEqualTypeOf<number>();
        expectTypeOf(config.name).toEqualTypeOf<string | undefined>();
        // @ts-expect-error there is no such option
        void config.deny;
        return {};
      },
    });
  });

  it('infers the handles of the metrics from what is declared', () => {
    defineFilter({
      doc: 'For the types.',
      stats: { denied: 'Refused.', open: { type: 'gauge', doc: 'Open.' }, took: { type: 'histogram', doc: 'Took.' } },
      create(_, { stats }) {
        expectTypeOf(stats.denied.add).toBeFunction();
        expectTypeOf(stats.open.set).toBeFunction();
        expectTypeOf(stats.took.observe).toBeFunction();
        // @ts-expect-error a counter cannot be set
        void stats.denied.set;
        // @ts-expect-error there is no such metric
        void stats.other;
        return {};
      },
    });
  });

  it('types notes by their key', () => {
    const user = note<{ readonly id: number }>('user');
    defineFilter({
      doc: 'For the types.',
      create: () => ({
        onRequest(_request, exchange) {
          exchange.set(user, { id: 7 });
          expectTypeOf(exchange.get(user)).toEqualTypeOf<{ readonly id: number } | undefined>();
          // @ts-expect-error the note has another type
          exchange.set(user, 'ada');
        },
      }),
    });
  });

  it('makes the filter of the design page: clients outside the allowed networks are refused', async () => {
    const ipAllow = defineFilter({
      doc: 'Refuses clients outside the allowed networks.',
      config: v.strictObject({ allow: v.array(cidr()) }),
      stats: { denied: 'Requests refused.' },
      create({ allow }, { stats }) {
        return {
          onRequest(_request, exchange) {
            if (allow.some((network) => network.contains(exchange.clientAddress))) return;
            stats.denied.add();
            return localReply(403, 'ip_denied', { flag: 'UAEX' });
          },
        };
      },
    });
    expect(v.safeParse(ipAllow.config!, { allow: ['10.0.0.0/33'] }).success).toBe(false);
    const filter = await startFilter(ipAllow, { allow: ['10.0.0.0/8', 'fd00::/8'] });
    const ask = (clientAddress: string) => filter.request(makeExchange({ clientAddress }));
    expect([ask('10.1.2.3'), ask('fd00::1')]).toEqual([undefined, undefined]);
    expect(ask('192.0.2.1')).toMatchObject({ status: 403, local: { details: 'ip_denied', flag: 'UAEX' } });
  });
});
