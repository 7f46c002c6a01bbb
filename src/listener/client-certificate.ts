import type { PeerCertificate } from 'node:tls';

/** What to do with `x-forwarded-client-cert`, which tells the app who the client proved to be. Envoy's terms. */
export type ClientCertDetails = 'sanitize' | 'sanitize_set';

export const clientCertField = 'x-forwarded-client-cert';

/**
 * A verified client certificate as Envoy writes it: `Hash=…;Subject="…";URI=…;DNS=…`. Hash is the SHA-256 of the
 * certificate in hexadecimal. Text beyond ASCII is percent-encoded, as no header can carry it safely.
 */
export function clientCertElement(certificate: PeerCertificate, subject: string): string {
  const parts = [
    `Hash=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`,
    `Subject="${escaped(subject)}"`,
  ];
  for (const [, kind, written] of (certificate.subjectaltname ?? '').matchAll(alternativeName)) {
    // Node writes names with commas and the like as JSON.
    const name = escaped(written!.startsWith('"') ? (JSON.parse(written!) as string) : written!.trim());
    parts.push(/[",;=\\]/.test(name) ? `${kind}="${name}"` : `${kind}=${name}`);
  }
  return parts.join(';');
}

const alternativeName = /(URI|DNS):("(?:[^"\\]|\\.)*"|[^,]+)/g;

function escaped(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, (odd) => [...Buffer.from(odd)].map((byte) => `%${hex(byte)}`).join(''))
    .replace(/["\\]/g, '\\$&');
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
