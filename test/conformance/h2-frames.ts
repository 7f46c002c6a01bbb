import { unescape } from '../../src/conformance/case-file.ts';

/** RFC 9113 §6: types of frames by their number. */
const types = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const;

export type FrameType = (typeof types)[number];

const flagBits = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
export type FrameFlag = keyof typeof flagBits;

/** RFC 9113 §7: error codes by their number. */
export const errorCodes = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
] as const;

/** Identifiers of settings that tests speak of (RFC 9113 §6.5.2). */
export const settings = { INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5 } as const;

/** RFC 9113 §3.4: how a client begins. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface Frame {
  readonly type: FrameType | 'UNKNOWN';
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(
  type: FrameType,
  stream: number,
  flags: readonly FrameFlag[] = [],
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = types.indexOf(type);
  head[4] = flags.reduce((bits, flag) => bits | flagBits[flag], 0);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A payload of big-endian 32-bit numbers: an error code, an increment, the halves of a PING. */
export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, at) => bytes.writeUInt32BE(value, 4 * at));
  return bytes;
}

export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** A header block without compression: literal fields that no table keeps (RFC 7541 §6.2.2). Characters are bytes. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

/** The fields of a plain request, and further ones. */
export function request(method: string, path: string, ...fields: readonly (readonly [string, string])[]): Buffer {
  return block([[':method', method], [':scheme', 'http'], [':path', path], [':authority', 't'], ...fields]);
}

/** RFC 7541 §5.2, without Huffman coding. */
function text(characters: string): Buffer {
  const bytes = Buffer.from(characters, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left >>= 7) length.push((left & 127) | 128);
  return Buffer.concat([Buffer.from([...length, left]), bytes]);
}

/**
 * A frame from the line of a case: `HEADERS 1 END_STREAM END_HEADERS | :method=GET | x=a\r\nb`. Behind the type stand the
 * stream and the flags, behind ` | ` the fields of a header block, or the payload:
 * `hex:00ff`, else text; all with the escapes of the case files.
 */
export function frameOf(line: string): Buffer {
  const [head, ...parts] = line.split(' | ');
  const [type, stream, ...flags] = head!.split(' ');
  const hex = parts[0]?.startsWith('hex:') === true ? parts[0].slice('hex:'.length) : undefined;
  let payload: Buffer;
  if (hex !== undefined) payload = Buffer.from(unescape(hex).toString('latin1'), 'hex');
  else if (type === 'HEADERS' || type === 'CONTINUATION') payload = block(parts.map(fieldOf));
  else payload = unescape(parts.join(' | '));
  return frame(type as FrameType, Number(stream), flags as FrameFlag[], payload);
}

function fieldOf(written: string): [string, string] {
  const equals = written.indexOf('=');
  const [name, value] = [written.slice(0, equals), written.slice(equals + 1)];
  return [unescape(name).toString('latin1'), unescape(value).toString('latin1')];
}

/** The whole frames in a piece of a connection, and the bytes behind them. */
export function readFrames(bytes: Buffer): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes.length - at < 9 + length) break;
    frames.push({
      type: types[bytes[at + 3]!] ?? 'UNKNOWN',
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

export function has({ flags }: Frame, flag: FrameFlag): boolean {
  return (flags & flagBits[flag]) !== 0;
}

/** The code that an RST_STREAM or GOAWAY carries. */
export function codeOf({ type, payload }: Frame): string {
  const code = payload.readUInt32BE(type === 'GOAWAY' ? 4 : 0);
  return errorCodes[code] ?? String(code);
}

/** The status with which a header block begins; undefined for trailers, 0 for one that a table would be needed for. */
export function statusOf({ payload }: Frame): number | undefined {
  const first = payload[0];
  if (first === undefined) return undefined;
  // RFC 7541 appendix A: entries 8 to 14 of the static table.
  if (first >= 0x88 && first <= 0x8e) return [200, 204, 206, 304, 400, 404, 500][first - 0x88];
  // A literal of the name with index 8, however it is to be kept.
  if (first !== 0x48 && first !== 0x08 && first !== 0x18) return first === 0x40 || first === 0x00 ? undefined : 0;
  const huffman = (payload[1]! & 0x80) !== 0;
  const value = payload.subarray(2, 2 + (payload[1]! & 0x7f));
  return Number(huffman ? digits(value) : value.toString('latin1'));
}

/** RFC 7541 appendix B, digits only. */
function digits(coded: Buffer): string {
  const bits = [...coded].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let at = 0;
  let found = '';
  while (found.length < 3) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    if (five <= 2) {
      found += five;
      at += 5;
    } else {
      found += Number.parseInt(bits.slice(at, at + 6), 2) - 0x19 + 3;
      at += 6;
    }
  }
  return found;
}
