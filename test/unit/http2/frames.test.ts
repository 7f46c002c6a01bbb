import { describe, expect, it } from 'vitest';
import {
  errorCode,
  FrameReader,
  FrameWriter,
  grown,
  maxWindow,
  readSettings,
  ReceiveWindow,
  type FrameSink,
} from '../../../src/http2/index.ts';

/** What a reader passes on, in words; the pieces of one DATA frame as one. */
function read(pieces: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let content = '';
  const sink: FrameSink = {
    frame: (type, flags, stream, bytes, start, end) =>
      seen.push(`${type} ${flags} ${stream} ${bytes.toString('hex', start, end)}`),
    dataBegins: (stream, length, padding) => {
      content = '';
      seen.push(`data ${stream} ${length} ${padding}`);
    },
    data: (piece) => (content += piece.toString('hex')),
    dataEnds: (end) => seen.push(`content ${content}${end ? ' end' : ''}`),
    fault: ({ details }) => seen.push(details),
  };
  const reader = new FrameReader(sink);
  for (const piece of pieces) reader.read(piece);
  return seen;
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

const frames: readonly [string, string, string[]][] = [
  ['SETTINGS and PING', '000000040000000000 000008060100000000 0102030405060708', ['4 0 0 ', '6 1 0 0102030405060708']],
  ['HEADERS, the reserved bit set', '000001010580000001 82', ['1 5 1 82']],
  ['DATA', '000003000100000001 616263', ['data 1 3 0', 'content 616263 end']],
  ['empty DATA', '000000000100000001 000000000000000003', ['data 1 0 0', 'content  end', 'data 3 0 0', 'content ']],
  ['padded DATA', '000006000900000001 02 616263 0000', ['data 1 6 3', 'content 616263 end']],
  ['DATA that is all padding', '000003000800000001 02 0000', ['data 1 3 3', 'content ']],
  ['DATA with its padding length alone', '000001000800000001 00', ['data 1 1 1', 'content ']],
  ['a frame of unknown type', '000002fa0000000009 ffff', ['250 0 9 ffff']],
  ['padding as long as the frame', '000003000800000001 03 0000', ['http2_padding_too_long']],
  ['padded DATA without its length', '000000000800000001', ['http2_frame_size']],
  ['a frame above 16 KiB', '004001000000000001', ['http2_frame_too_large']],
  ['DATA on stream 0', '000000000000000000', ['http2_frame_without_stream']],
  ['HEADERS on stream 0', '000000010400000000', ['http2_frame_without_stream']],
  ['PRIORITY on stream 0', '000005020000000000 0000000000', ['http2_frame_without_stream']],
  ['SETTINGS on a stream', '000000040000000001', ['http2_frame_on_stream']],
  ['SETTINGS of five bytes', '000005040000000000 0000000000', ['http2_frame_size']],
  ['an acknowledgement with settings', '000006040100000000 000000000000', ['http2_frame_size']],
  ['PING of seven bytes', '000007060000000000 00000000000000', ['http2_frame_size']],
  ['WINDOW_UPDATE of three bytes', '000003080000000000 000001', ['http2_frame_size']],
  ['RST_STREAM of five bytes', '000005030000000001 0000000000', ['http2_frame_size']],
  ['GOAWAY of seven bytes', '000007070000000000 00000000000000', ['http2_frame_size']],
];

describe('reading frames', () => {
  it.each(frames)('%s', (_, hex, expected) => {
    expect(read([bytes(hex)])).toEqual(expected);
  });

  it('in pieces of any size is the same as in one', () => {
    const all = bytes(
      frames
        .slice(0, 8)
        .map(([, hex]) => hex)
        .join(''),
    );
    const whole = read([all]);
    for (let size = 1; size < 40; size++) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
      expect(read(pieces), `pieces of ${size}`).toEqual(whole);
    }
  });

  it('passes content on before the frame is whole, and nothing after a fault', () => {
    expect(read([bytes('000003000000000001 61')])).toEqual(['data 1 3 0']);
    expect(read([bytes('000000000000000000'), bytes('000000040000000000')])).toEqual(['http2_frame_without_stream']);
  });
});

describe('writing frames', () => {
  it('gives what a reader takes', () => {
    const to = new FrameWriter();
    to.settings([3, 100, 4, 2 ** 31 - 1]);
    to.ping(true, Buffer.from('12345678'), 0);
    to.goaway(2 ** 31 - 1, errorCode.ENHANCE_YOUR_CALM);
    to.reset(1, errorCode.CANCEL);
    to.windowUpdate(3, 70_000);
    to.data(5, Buffer.from('abcdef'), 2, 4, true);
    expect(read(to.take() as Buffer[])).toEqual([
      '4 0 0 00030000006400047fffffff',
      '6 1 0 3132333435363738',
      '7 0 0 7fffffff0000000b',
      '3 0 1 00000008',
      '8 0 3 00011170',
      'data 5 2 0',
      'content 6364 end',
    ]);
    expect(to.length).toBe(0);
  });

  it('passes large content on without a copy, in its place', () => {
    const to = new FrameWriter();
    const content = Buffer.alloc(10_000, 'x');
    to.reset(1, errorCode.CANCEL);
    to.data(3, content, 0, 10_000, false);
    to.reset(5, errorCode.CANCEL);
    to.data(7, content, 5000, 9000, true);
    expect(to.length).toBe(13 + 9 + 10_000 + 13 + 9 + 4000);
    const pieces = to.take();
    expect(pieces[1]).toBe(content);
    expect(read(pieces as Buffer[]).map((frame) => frame.slice(0, 14))).toEqual([
      '3 0 1 00000008',
      'data 3 10000 0',
      'content 787878',
      '3 0 5 00000008',
      'data 7 4000 0',
      'content 787878',
    ]);
  });

  it('splits a large block into HEADERS and CONTINUATION', () => {
    const to = new FrameWriter();
    to.reset(1, errorCode.CANCEL);
    to.beginBlock();
    to.text('x'.repeat(40_000));
    to.endBlock(7, true);
    to.reset(3, errorCode.CANCEL);
    const seen = read(to.take() as Buffer[]);
    expect(seen.map((frame) => frame.slice(0, 6))).toEqual(['3 0 1 ', '1 1 7 ', '9 0 7 ', '9 4 7 ', '3 0 3 ']);
    const block = seen.slice(1, 4).map((frame) => frame.split(' ')[3]!);
    expect(block.map(({ length }) => length / 2)).toEqual([16_384, 16_384, 40_004 - 2 * 16_384]);
    expect(Buffer.from(block.join(''), 'hex').toString('latin1', 4)).toBe('x'.repeat(40_000));
  });
});

describe('windows', () => {
  it.each([
    [0, 1, 1],
    [-5, 3, -2],
    [maxWindow - 1, 1, maxWindow],
    [maxWindow, 1, undefined],
    [1, maxWindow, undefined],
  ])('%d and %d more', (window, increment, expected) => {
    expect(grown(window, increment)).toBe(expected);
  });

  it('of ours open again when half has been used, and not before', () => {
    const window = new ReceiveWindow(100);
    expect(window.take(100)).toBe(true);
    expect(window.release(49)).toBe(0);
    expect(window.release(1)).toBe(50);
    expect(window.take(50)).toBe(true);
    expect(window.take(1)).toBe(false);
  });
});

describe('settings', () => {
  it.each([
    ['', {}],
    ['0001 00000000 0001 00001000', { headerTableSize: 4096, leastHeaderTableSize: 0 }],
    ['0004 00000001 0004 7fffffff', { initialWindowSize: maxWindow }],
    ['0004 80000000', { code: errorCode.FLOW_CONTROL_ERROR }],
    ['0002 00000002', { code: errorCode.PROTOCOL_ERROR }],
    ['0005 00003fff', { code: errorCode.PROTOCOL_ERROR }],
    ['0005 01000000', { code: errorCode.PROTOCOL_ERROR }],
    ['0005 00ffffff 00ff 12345678 0002 00000001', {}],
  ])('%s', (hex, expected) => {
    const payload = bytes(hex);
    expect(readSettings(payload, 0, payload.length)).toMatchObject(expected);
  });
});
