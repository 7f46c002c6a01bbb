import { expect, it } from 'vitest';
import { WebSocketFrames } from '../../../src/cluster/websocket-frames.ts';

function frame(length: number, masked = false): Buffer {
  const mask = masked ? 0x80 : 0;
  const head =
    length < 126
      ? Buffer.from([0x82, mask | length])
      : length < 65_536
        ? Buffer.from([0x82, mask | 126, length >> 8, length & 0xff])
        : Buffer.from([
            0x82,
            mask | 127,
            0,
            0,
            0,
            0,
            (length >> 24) & 0xff,
            (length >> 16) & 0xff,
            (length >> 8) & 0xff,
            length & 0xff,
          ]);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 1), Buffer.alloc(length, 0x88)]);
}

it.each([0, 1, 125, 126, 65_535, 65_536])('finds the end of a frame of %i bytes, however it is cut', (length) => {
  for (const masked of [false, true]) {
    const bytes = frame(length, masked);
    for (const cut of [1, 2, 3, 5, bytes.length - 1, bytes.length]) {
      if (cut > bytes.length) continue;
      const frames = new WebSocketFrames();
      expect(frames.betweenFrames).toBe(true);
      const first = frames.pass(bytes.subarray(0, cut));
      expect(first).toBe(cut === bytes.length ? cut : -1);
      if (cut === bytes.length) continue;
      expect(frames.betweenFrames).toBe(false);
      expect(frames.pass(Buffer.concat([bytes.subarray(cut), frame(7)]))).toBe(bytes.length - cut);
      expect(frames.betweenFrames).toBe(true);
    }
  }
});
