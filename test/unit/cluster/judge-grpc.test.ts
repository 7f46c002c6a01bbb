import { expect, it } from 'vitest';
import { judgeGrpc } from '../../../src/cluster/health-probe/judge-grpc.ts';
import type { GrpcAnswer } from '../../../src/health-probe/ask-grpc.ts';

it.each<[GrpcAnswer, ReturnType<typeof judgeGrpc>]>([
  [{ kind: 'health', status: 'SERVING' }, ['good', 'SERVING']],
  [{ kind: 'health', status: 'NOT_SERVING' }, ['bad', 'NOT_SERVING']],
  [{ kind: 'health', status: 'UNKNOWN' }, ['bad', 'UNKNOWN']],
  [{ kind: 'refused', code: '12' }, ['bad', 'UNIMPLEMENTED']],
  [{ kind: 'refused', code: '13' }, ['bad', 'grpc-status 13']],
  [{ kind: 'status', status: 404 }, ['bad', 'status 404']],
  [{ kind: 'malformed', what: 'not a health message' }, ['bad', 'not a health message']],
  [{ kind: 'unfinished' }, ['silent', 'an answer without grpc-status']],
  [{ kind: 'lost', error: new Error('gone') }, ['silent', 'gone']],
])('%j is judged %j', (answer, judged) => {
  expect(judgeGrpc(answer)).toEqual(judged);
});
