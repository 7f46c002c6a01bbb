import type { GrpcAnswer } from '../../health-probe/ask-grpc.ts';
import { showAddress, type Address } from '../../options/index.ts';
import { failedBy, healthy, unhealthy, type Probe, type ProbeResult } from './probe.ts';

/** Calls grpc.health.v1.Health/Check over HTTP/2 with prior knowledge. */
export function grpcProbe(at: Address, service: string): Probe {
  const authority = at.kind === 'unix' ? 'localhost' : showAddress(at);
  return async (signal) => {
    // Loaded when the first probe runs: most apps have no gRPC.
    const { askGrpc } = await import('../../health-probe/ask-grpc.ts');
    const { connect } = await import('node:net');
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(unhealthy('timeout', 'given up'));
      const socket = connect(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port });
      // Before the session does: it says of a connection that it was reset, and not why it could not be made.
      socket.once('error', (error) => resolve(failedBy(error)));
      const giveUp = askGrpc(socket, { service, authority }, (answer) => {
        signal.removeEventListener('abort', giveUp);
        resolve(judge(answer));
      });
      signal.addEventListener('abort', giveUp, { once: true });
    });
  };
}

function judge(answer: GrpcAnswer): ProbeResult {
  switch (answer.kind) {
    case 'health':
      return answer.status === 'SERVING' ? healthy : unhealthy('not_serving', answer.status);
    case 'refused':
      return unhealthy('status', `grpc-status ${answer.code}`);
    case 'status':
      return unhealthy('status', `answered ${answer.status}`);
    case 'malformed':
      return unhealthy('malformed', answer.what);
    case 'unfinished':
      return unhealthy('malformed', 'no grpc-status');
    case 'lost':
      return failedBy(answer.error);
  }
}
