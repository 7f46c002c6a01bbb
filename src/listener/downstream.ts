import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Downstream, DownstreamTls } from '../http/index.ts';
import { clientCertElement } from './client-certificate.ts';

/** What is known of a connection, taken down when it is new: a closed socket has no addresses any more. */
export function downstreamOf(
  socket: Socket,
  listener: string,
  connectionId: number,
  tls: TLSSocket | undefined,
): Downstream {
  const remote = socket.remoteAddress;
  return {
    listener,
    connectionId,
    remoteAddress: remote === undefined ? 'unix' : withoutMapping(remote),
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress === undefined ? 'unix' : withoutMapping(socket.localAddress),
    localPort: socket.localPort ?? 0,
    tls: tls === undefined ? undefined : tlsOf(tls),
  };
}

function tlsOf(socket: TLSSocket): DownstreamTls {
  // The types do not know that it is false without SNI.
  const serverName = (socket as TLSSocket & { servername?: string | false | null }).servername;
  const certificate = socket.authorized ? socket.getPeerCertificate() : undefined;
  const subject = certificate?.subject === undefined ? undefined : subjectOf(certificate.subject);
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    serverName: typeof serverName === 'string' && serverName !== '' ? serverName : undefined,
    peerSubject: subject,
    clientCertificate: subject === undefined ? undefined : clientCertElement(certificate!, subject),
  };
}

/** `CN=client,O=Example` */
function subjectOf(subject: object): string {
  return Object.entries(subject)
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join('+') : String(value)}`)
    .join(',');
}

/** A dual-stack socket shows IPv4 peers as `::ffff:192.0.2.1`. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
