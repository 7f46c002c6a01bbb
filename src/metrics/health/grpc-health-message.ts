/** The two messages of grpc.health.v1, with the five bytes that gRPC puts before each. Source: grpc/grpc doc/health-checking.md. */

const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type ServingStatus = (typeof servingStatuses)[number];

/** `HealthCheckRequest { string service = 1 }`; at most 256 characters. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** `HealthCheckResponse { ServingStatus status = 1 }`; undefined when the bytes are something else. */
export function readHealthResponse(bytes: Buffer): ServingStatus | undefined {
  if (bytes.length < 5 || bytes[0] !== 0) return undefined;
  const message = bytes.subarray(5);
  if (bytes.readUInt32BE(1) !== message.length) return undefined;
  // An enumeration's first value is not written.
  if (message.length === 0) return 'UNKNOWN';
  return message.length === 2 && message[0] === 0x08 ? servingStatuses[message[1]!] : undefined;
}
