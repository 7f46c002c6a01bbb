import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../src/collect-garbage.ts';
import { ReadGarbage } from '../../../src/http/read-garbage.ts';

describe('bytes that were read and passed on', () => {
  it.each([
    ['less than the limit: nothing', [50, 49], 0],
    ['up to the limit: once', [50, 50], 1],
    ['counted anew after each time', [100, 99, 1, 99], 2],
    ['a read beyond the limit: once', [1000], 1],
  ])('%s', (_name, reads, expected) => {
    let collected = 0;
    const garbage = new ReadGarbage(100, () => collected++);
    for (const bytes of reads) garbage.add(bytes);
    expect(collected).toBe(expected);
  });

  it('frees buffers that nobody holds, and those only', async () => {
    const size = 1024 * 1024;
    // What came before may be promoted by now; it does not count.
    collectGarbage('minor');
    const before = process.memoryUsage().arrayBuffers;
    const held = Buffer.alloc(size, 'x');
    for (let at = 0; at < 40; at++) Buffer.alloc(size, 'y');
    expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(20 * size);
    collectGarbage('minor');
    // Buffers are freed by a thread of their own; a second look ends its work.
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage('minor');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * size);
    expect(held.every((byte) => byte === 'x'.charCodeAt(0))).toBe(true);
  });
});
