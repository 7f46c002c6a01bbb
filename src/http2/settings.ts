import { errorCode, frameFault, type FrameFault } from './error-code.ts';
import { maxFrameLength } from './frame.ts';
import { maxWindow } from './windows.ts';

/** RFC 9113 §6.5.2: identifiers of settings. */
export const setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** What of a peer's settings matters to us; undefined is not said. We never send frames above the least MAX_FRAME_SIZE. */
export interface PeerSettings {
  headerTableSize: number | undefined;
  /** The least of the sizes that are named: the table must not outlive it (RFC 7541 §4.2). */
  leastHeaderTableSize: number | undefined;
  initialWindowSize: number | undefined;
}

/** Reads the payload of a SETTINGS frame, a multiple of six bytes. Later values count, unknown identifiers do not. */
export function readSettings(bytes: Buffer, start: number, end: number): PeerSettings | FrameFault {
  const settings: PeerSettings = {
    headerTableSize: undefined,
    leastHeaderTableSize: undefined,
    initialWindowSize: undefined,
  };
  for (let at = start; at < end; at += 6) {
    const value = bytes.readUInt32BE(at + 2);
    switch (bytes.readUInt16BE(at)) {
      case setting.HEADER_TABLE_SIZE:
        settings.headerTableSize = value;
        settings.leastHeaderTableSize = Math.min(value, settings.leastHeaderTableSize ?? value);
        break;
      case setting.ENABLE_PUSH:
        if (value > 1) return frameFault(errorCode.PROTOCOL_ERROR, 'http2_settings_invalid');
        break;
      case setting.INITIAL_WINDOW_SIZE:
        if (value > maxWindow) return frameFault(errorCode.FLOW_CONTROL_ERROR, 'http2_settings_invalid');
        settings.initialWindowSize = value;
        break;
      case setting.MAX_FRAME_SIZE:
        if (value < maxFrameLength || value >= 2 ** 24)
          return frameFault(errorCode.PROTOCOL_ERROR, 'http2_settings_invalid');
        break;
    }
  }
  return settings;
}
