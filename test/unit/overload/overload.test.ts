import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { Overload, overloadSchema } from '../../../src/overload/index.ts';
import { Stats } from '../../../src/stats/index.ts';

/** An overload whose sources are set by hand. */
function overloadOf(options: v.InferInput<typeof overloadSchema> = {}, maxOpenFiles = 65_536) {
  const world = { memory: 0.1, buffered: 0, now: 0 };
  const lines: string[] = [];
  const stats = new Stats();
  const overload = new Overload(v.parse(overloadSchema, options), {
    stats,
    clock: { now: () => world.now, monotonic: () => world.now },
    log: {
      debug() {},
      info: (message) => lines.push(message),
      warn: (message) => lines.push(message),
      error: (message) => lines.push(message),
    },
    memory: () => world.memory,
    bufferedBytes: () => world.buffered,
    maxOpenFiles,
  });
  const look = (change: Partial<typeof world>, late = 0) => {
    Object.assign(world, change);
    world.now += 250 + late;
    overload.look();
  };
  return { overload, look, lines, stats };
}

describe('overload', () => {
  it('refuses nothing while there is little to do', () => {
    const { overload, look, lines } = overloadOf();
    look({});
    expect(overload.refusal()).toBeUndefined();
    expect(overload.connectionRefusal()).toBeUndefined();
    expect(overload.shedding).toBe(false);
    expect(lines).toEqual([]);
  });

  it('refuses exchanges beyond max_exchanges exactly, with 503, Retry-After and OM', async () => {
    const { overload, stats } = overloadOf({ max_exchanges: 2 });
    overload.exchangeBegan();
    expect(overload.refusal()).toBeUndefined();
    overload.exchangeBegan();
    const refusal = overload.refusal()!;
    expect(refusal.status).toBe(503);
    expect(refusal.headers.get('retry-after')).toBe('1');
    expect(refusal.local).toEqual({ details: 'overload_exchanges', flag: 'OM' });
    const metrics = await stats.render();
    expect(metrics).toContain('portico_overload_refused_total{trigger="exchanges"} 1');
    expect(metrics).toContain('portico_overload_state{trigger="exchanges"} 1');
    expect(overload.shedding).toBe(false);
    overload.exchangeEnded();
    expect(overload.refusal()).toBeUndefined();
  });

  it('refuses exchanges, then connections, as memory fills, and takes them again as it empties', async () => {
    const { overload, look, lines, stats } = overloadOf();
    look({ memory: 0.93 });
    expect(overload.refusal()!.local.details).toBe('overload_memory');
    expect(overload.shedding).toBe(true);
    expect(overload.connectionRefusal()).toBeUndefined();
    look({ memory: 0.96 });
    expect(overload.connectionRefusal()).toBe('memory');
    expect(overload.refusing).toBe(true);
    expect(await stats.render()).toContain('portico_overload_state{trigger="memory"} 2');
    look({ memory: 0.91 });
    expect(overload.connectionRefusal()).toBeUndefined();
    expect(overload.refusal()).toBeDefined();
    look({ memory: 0.5 });
    expect(overload.refusal()).toBeUndefined();
    expect(lines).toEqual(['overloaded: new work is refused', 'no longer overloaded']);
  });

  it('refuses exchanges while buffers hold too much', () => {
    const { overload, look } = overloadOf({ max_buffered_bytes: '1MiB' });
    look({ buffered: 2 ** 20 });
    expect(overload.refusal()!.local.details).toBe('overload_buffered_bytes');
    look({ buffered: 2 ** 19 });
    expect(overload.refusal()).toBeUndefined();
  });

  it('refuses exchanges when the event loop is late again and again, not when it was once', () => {
    const { overload, look } = overloadOf({ event_loop_delay_shed: '500ms' });
    look({});
    look({}, 4000);
    look({});
    expect(overload.refusal()).toBeUndefined();
    for (let count = 0; count < 3; count++) look({}, 600);
    expect(overload.refusal()!.local.details).toBe('overload_event_loop');
    look({});
    expect(overload.refusal()).toBeUndefined();
  });

  it('refuses connections beyond max_connections exactly', () => {
    const { overload } = overloadOf({ max_connections: 1 });
    overload.connectionOpened();
    expect(overload.connectionRefusal()).toBe('connections');
    overload.connectionClosed();
    expect(overload.connectionRefusal()).toBeUndefined();
  });

  it('takes fewer connections when few files may be opened', () => {
    const { overload } = overloadOf({}, 128);
    expect(overload.show().find(({ trigger }) => trigger === 'connections')!.limit).toBe(32);
  });

  it('is off where the options say so', () => {
    const { overload, look } = overloadOf(
      {
        max_connections: 0,
        max_exchanges: 0,
        max_buffered_bytes: 0,
        memory_shed_ratio: 1,
        memory_refuse_ratio: 1,
        event_loop_delay_shed: 0,
      },
      Infinity,
    );
    for (let count = 0; count < 5; count++) look({ memory: 1.1, buffered: 1e12 }, 10_000);
    for (let count = 0; count < 100; count++) overload.exchangeBegan();
    expect(overload.refusal()).toBeUndefined();
    expect(overload.connectionRefusal()).toBeUndefined();
    expect(overload.show().map(({ limit }) => limit)).toEqual(Array(5).fill(undefined));
  });

  it('takes new ceilings while it runs', () => {
    const { overload } = overloadOf({ max_exchanges: 1 });
    overload.exchangeBegan();
    expect(overload.refusal()).toBeDefined();
    overload.configure(v.parse(overloadSchema, { max_exchanges: 2 }));
    expect(overload.refusal()).toBeUndefined();
  });
});
