import type { GrpcAnswer } from '../../health-probe/ask-grpc.ts';
import type { ProbeResult } from './probe.ts';

/** Some names of codes (grpc/grpc doc/statuscodes.md); others are told by number. */
const codes: Readonly<Record<string, string>> = { 5: 'NOT_FOUND', 12: 'UNIMPLEMENTED', 14: 'UNAVAILABLE' };

/** What an answer says of who gave it. Whoever breaks off or is none of gRPC may be another one by mistake: that is no answer. */
export function judgeGrpc(answer: GrpcAnswer): [result: ProbeResult, found: string] {
  switch (answer.kind) {
    case 'health':
      return [answer.status === 'SERVING' ? 'good' : 'bad', answer.status];
    case 'refused':
      return ['bad', codes[answer.code] ?? `grpc-status ${answer.code}`];
    case 'status':
      return ['bad', `status ${answer.status}`];
    case 'malformed':
      return ['bad', answer.what];
    case 'unfinished':
      return ['silent', 'an answer without grpc-status'];
    case 'lost':
      return ['silent', answer.error.message];
  }
}
