/** Why bytes are not the message they should be. A value, not an exception: what a peer sends is never exceptional. */
export interface WireFault {
  readonly fault: true;
  /** 400, 414, 417, 431, 501 or 505 for a request; a response's faults are answered 502 whatever stands here. */
  readonly status: number;
  /** Stable, snake case: `duplicate_content_length`. */
  readonly details: string;
}

export function wireFault(status: number, details: string): WireFault {
  return { fault: true, status, details };
}

export function isWireFault(value: object): value is WireFault {
  return 'fault' in value;
}
