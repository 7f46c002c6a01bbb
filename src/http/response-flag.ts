/**
 * Why an exchange ended as it did, in Envoy's abbreviations (%RESPONSE_FLAGS%), which operators already search for.
 * The order here is the order in which several flags of one exchange are written.
 */
export const responseFlags = {
  UH: 'no healthy upstream endpoint',
  UF: 'upstream connection failed',
  UO: 'upstream overflow: a circuit breaker is open',
  NR: 'no route matched',
  NC: 'the cluster of the route does not exist',
  URX: 'the limit of retries was reached',
  UT: 'upstream request timed out',
  UC: 'upstream connection terminated before or during the response',
  UPE: 'upstream protocol error: its response was malformed',
  DC: 'the client left before the response was complete',
  DPE: 'downstream protocol error: the request was malformed or ambiguous',
  SI: 'stream idle timeout',
  DT: 'the request took too long to arrive',
  RL: 'rate limited',
  RLSE: 'the rate limit store failed and the filter is set to refuse then',
  UAEX: 'denied by an authentication or authorization filter',
  DF: 'DNS resolution of the upstream failed',
  OM: 'overload: the proxy sheds work',
  FE: 'a filter failed',
  RD: 'refused while draining',
  LL: 'a local limit was exceeded (headers, URI or body size)',
} as const;

export type ResponseFlag = keyof typeof responseFlags;
