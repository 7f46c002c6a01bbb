import { describe, expect, it } from 'vitest';
import { decodeHuffman } from '../../../src/http2/huffman.ts';
import { fieldName, FrameWriter, HeaderDecoder, HeaderEncoder } from '../../../src/http2/index.ts';

const wide = { maxSize: 64 * 1024, maxCount: 1000 };

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

function decode(decoder: HeaderDecoder, hex: string, limits = wide): string[] | string {
  const block = bytes(hex);
  const list = decoder.decode(block, 0, block.length, limits);
  return typeof list === 'string' ? list : list.flat;
}

describe('HPACK decoding, by the examples of RFC 7541 appendix C', () => {
  it.each([
    ['C.2.1', '400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key', 'custom-header']],
    ['C.2.2', '040c2f73616d706c652f70617468', [':path', '/sample/path']],
    ['C.2.3', '100870617373776f726406736563726574', ['password', 'secret']],
    ['C.2.4', '82', [':method', 'GET']],
  ])('%s', (_, hex, fields) => {
    expect(decode(new HeaderDecoder(), hex)).toEqual(fields);
  });

  const requests = [
    [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com', 'cache-control', 'no-cache'],
    [
      ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
      ...['custom-key', 'custom-value'],
    ],
  ];
  const date1 = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const date2 = 'Mon, 21 Oct 2013 20:13:22 GMT';
  const location = ['location', 'https://www.example.com'];
  const responses = [
    [':status', '302', 'cache-control', 'private', 'date', date1, ...location],
    [':status', '307', 'cache-control', 'private', 'date', date1, ...location],
    [
      ...[':status', '200', 'cache-control', 'private', 'date', date2, ...location, 'content-encoding', 'gzip'],
      ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ],
  ];

  it.each([
    [
      'C.3, requests without Huffman coding',
      4096,
      requests,
      [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
    ],
    [
      'C.4, requests with Huffman coding',
      4096,
      requests,
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
    ],
    [
      'C.5, responses without Huffman coding, in a table of 256 bytes',
      256,
      responses,
      [
        '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
        '4803333037c1c0bf',
        '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
      ],
    ],
    [
      'C.6, responses with Huffman coding, in a table of 256 bytes',
      256,
      responses,
      [
        '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
        '4883640effc1c0bf',
        '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
      ],
    ],
  ])('%s', (_, tableSize, lists, blocks) => {
    const decoder = new HeaderDecoder(tableSize);
    expect(blocks.map((block) => decode(decoder, block))).toEqual(lists);
  });
});

describe('HPACK decoding refuses', () => {
  it.each([
    ['an index of 0', '80', 'hpack_index_invalid'],
    ['an index beyond the tables', 'be', 'hpack_index_invalid'],
    ['a name beyond the tables', '7f00 00', 'hpack_index_invalid'],
    ['a string that is longer than the block', '4001 61 0562', 'hpack_truncated'],
    ['a field without a value', '4001 61', 'hpack_truncated'],
    ['an integer that does not end', 'ff80', 'hpack_truncated'],
    ['an integer of more than 28 bits', 'ff80808080 01', 'hpack_integer_too_large'],
    ['a length of more than 28 bits', '007fffffffff7f', 'hpack_integer_too_large'],
    ['padding of more than seven bits', '400161 82 1fff', 'hpack_huffman_invalid'],
    ['padding that is not all ones', '400161 81 18', 'hpack_huffman_invalid'],
    ['the end of the string within a string', '400161 84 ffffffff', 'hpack_huffman_invalid'],
    ['a size of the table above what we allow', '3fe21f', 'hpack_table_size_too_large'],
    ['a size of the table behind a field', '8220', 'hpack_table_size_late'],
    ['three sizes of the table', '20 3fe11f 20', 'hpack_table_size_late'],
  ])('%s', (_, hex, fault) => {
    expect(decode(new HeaderDecoder(), hex)).toBe(fault);
  });

  it('nothing of an empty block, and none of the sizes at its start', () => {
    expect(decode(new HeaderDecoder(), '')).toEqual([]);
    expect(decode(new HeaderDecoder(), '203fe11f82')).toEqual([':method', 'GET']);
  });
});

describe('HPACK decoding', () => {
  it('keeps nothing beyond the limits, and stays in step all the same', () => {
    const decoder = new HeaderDecoder();
    // a: b into the table, then a hundred references to it, then c: d into the table.
    const block = bytes(`4001610162${'be'.repeat(100)}4001630164`);
    const list = decoder.decode(block, 0, block.length, { maxSize: 1000, maxCount: 10 });
    expect(list).toMatchObject({ count: 102, size: 102 * 34, exceeded: true });
    expect((list as { flat: string[] }).flat.length).toBe(20);
    expect(decode(decoder, 'bebf')).toEqual(['c', 'd', 'a', 'b']);
  });

  it('forgets what does not fit, as the peer does', () => {
    const decoder = new HeaderDecoder(100);
    expect(decode(decoder, '4001610162 4001630164')).toEqual(['a', 'b', 'c', 'd']);
    // A third entry of 34 bytes pushes out the first.
    expect(decode(decoder, '4001650166')).toEqual(['e', 'f']);
    expect(decode(decoder, 'bebf')).toEqual(['e', 'f', 'c', 'd']);
    expect(decode(decoder, 'c0')).toBe('hpack_index_invalid');
    // One that is larger than the table empties it (RFC 7541 §4.4).
    expect(decode(decoder, `400161 7f00${'62'.repeat(127)}`)).toHaveLength(2);
    expect(decode(decoder, 'be')).toBe('hpack_index_invalid');
  });
});

describe('Huffman decoding', () => {
  it.each([
    ['f1e3c2e5f23a6ba0ab90f4ff', 'www.example.com'],
    ['9d29ad171863c78f0b97c8e9ae82ae43d3', 'https://www.example.com'],
    ['', ''],
    ['ffc7', '\0'],
    ['ff', undefined],
    ['07', '0'],
  ])('%s is %j', (hex, text) => {
    const coded = bytes(hex);
    expect(decodeHuffman(coded, 0, coded.length)).toBe(text);
  });
});

describe('HPACK encoding', () => {
  function block(encoder: HeaderEncoder, fields: readonly [string, string][], status = 200): Buffer {
    const to = new FrameWriter();
    encoder.status(to, status);
    for (const [name, value] of fields) encoder.field(to, names(name), value);
    return Buffer.concat(to.take());
  }
  const known = new Map<string, ReturnType<typeof fieldName>>();
  function names(name: string) {
    if (!known.has(name)) known.set(name, fieldName(name));
    return known.get(name)!;
  }

  it('is understood, whatever the fields, their order, and the sizes of the table in between', () => {
    const encoder = new HeaderEncoder();
    const decoder = new HeaderDecoder();
    const fields: [string, string][] = [
      ['server', 'app'],
      ['x-a', 'ä'.repeat(200)],
      ['vary', ''],
      ['set-cookie', 'a=b'],
      ['x-long', 'y'.repeat(5000)],
    ];
    for (let round = 0; round < 300; round++) {
      if (round === 100) encoder.resize(0);
      if (round === 110) encoder.resize(200);
      if (round === 200) {
        encoder.resize(50);
        encoder.resize(100_000);
      }
      const changing: [string, string][] = [...fields, ['x-round', String(round >> 1)], ['x-' + (round % 50), 'same']];
      const coded = block(encoder, changing, round % 2 === 0 ? 200 : 431);
      const list = decoder.decode(coded, 0, coded.length, wide);
      expect(list).toMatchObject({ flat: [':status', round % 2 === 0 ? '200' : '431', ...changing.flat()] });
    }
  });

  it('writes a field that repeats as one byte, and a cookie never into the table', () => {
    const encoder = new HeaderEncoder();
    for (let round = 0; round < 2; round++)
      block(encoder, [
        ['server', 'app'],
        ['set-cookie', 'a=b'],
      ]);
    expect(block(encoder, [['server', 'app']]).toString('hex')).toBe('88be');
    expect(block(encoder, [['set-cookie', 'a=b']])[1]! & 0xf0).toBe(0x10);
  });
});
