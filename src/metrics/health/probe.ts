/**
 * Why a probe failed. `connect`: no connection; `timeout`: no answer in time; `reset`: the connection broke; `status`: an answer with
 * another status; `not_serving`: the gRPC service says so; `malformed`: not an answer of this protocol.
 */
export const failureReasons = ['connect', 'timeout', 'reset', 'status', 'not_serving', 'malformed'] as const;
export type FailureReason = (typeof failureReasons)[number];

/** What a probe found. Details are for people. */
export type ProbeResult =
  { readonly healthy: true } | { readonly healthy: false; readonly reason: FailureReason; readonly details: string };

/**
 * Looks at the app once, on a connection of its own, and leaves nothing behind. Never rejects. When the signal is aborted the
 * connection is closed at once; the result is of no interest then.
 */
export type Probe = (signal: AbortSignal) => Promise<ProbeResult>;

export const healthy: ProbeResult = { healthy: true };

export function unhealthy(reason: FailureReason, details: string): ProbeResult {
  return { healthy: false, reason, details };
}

const cannotConnect = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EACCES',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
]);

/** What an error of a socket means. */
export function failedBy(error: NodeJS.ErrnoException): ProbeResult {
  const code = error.code ?? '';
  if (cannotConnect.has(code)) return unhealthy('connect', code);
  // llhttp's codes, and node:http2's for frames that are none.
  if (code.startsWith('HPE_') || code === 'ERR_HTTP2_ERROR') return unhealthy('malformed', code);
  return unhealthy('reset', code || error.message);
}
