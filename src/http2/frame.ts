import { errorCode, frameFault, type FrameFault } from './error-code.ts';

/** RFC 9113 §6: types of frames. */
export const frameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const flag = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Bytes of a frame's head (RFC 9113 §4.1). */
export const frameHeadLength = 9;
/** The largest payload that everybody takes, and the largest that we take (RFC 9113 §4.2). */
export const maxFrameLength = 16_384;
/** RFC 9113 §3.4: how a client begins. */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const { FRAME_SIZE_ERROR, PROTOCOL_ERROR } = errorCode;
const tooLarge = frameFault(FRAME_SIZE_ERROR, 'http2_frame_too_large');
const wrongSize = frameFault(FRAME_SIZE_ERROR, 'http2_frame_size');
const streamMissing = frameFault(PROTOCOL_ERROR, 'http2_frame_without_stream');
const streamGiven = frameFault(PROTOCOL_ERROR, 'http2_frame_on_stream');

/**
 * What is wrong with a frame by its head alone; all of it ends the connection (RFC 9113 §4.2, §6). A PRIORITY of a wrong
 * size only ends its stream (§6.3), and is left to whoever knows the stream.
 */
export function headFault(type: number, flags: number, stream: number, length: number): FrameFault | undefined {
  if (length > maxFrameLength) return tooLarge;
  switch (type) {
    case frameType.DATA:
    case frameType.HEADERS:
      if (stream === 0) return streamMissing;
      return (flags & flag.PADDED) !== 0 && length === 0 ? wrongSize : undefined;
    case frameType.PRIORITY:
    case frameType.CONTINUATION:
    case frameType.PUSH_PROMISE:
      return stream === 0 ? streamMissing : undefined;
    case frameType.RST_STREAM:
      if (stream === 0) return streamMissing;
      return length === 4 ? undefined : wrongSize;
    case frameType.SETTINGS:
      if (stream !== 0) return streamGiven;
      return ((flags & flag.ACK) !== 0 ? length === 0 : length % 6 === 0) ? undefined : wrongSize;
    case frameType.PING:
      if (stream !== 0) return streamGiven;
      return length === 8 ? undefined : wrongSize;
    case frameType.GOAWAY:
      if (stream !== 0) return streamGiven;
      return length >= 8 ? undefined : wrongSize;
    case frameType.WINDOW_UPDATE:
      return length === 4 ? undefined : wrongSize;
    default:
      return undefined;
  }
}
