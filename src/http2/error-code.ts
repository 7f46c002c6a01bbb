/** Why a stream or a connection ends (RFC 9113 §7). */
export const errorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  ENHANCE_YOUR_CALM: 0xb,
} as const;

export type ErrorCode = (typeof errorCode)[keyof typeof errorCode];

/** What makes a connection or a stream end. Returned, never thrown. */
export interface FrameFault {
  readonly code: ErrorCode;
  /** Stable name in snake case, for counters and logs. */
  readonly details: string;
}

export function frameFault(code: ErrorCode, details: string): FrameFault {
  return { code, details };
}
