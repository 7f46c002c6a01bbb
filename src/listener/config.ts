import * as v from 'valibot';
import { address, byteSize, doc, duration, integer, name } from '../options/index.ts';

const certificateSchema = v.strictObject({
  certificate_chain: doc('PEM file with the certificate and the intermediates that lead to its root.', path()),
  private_key: doc('PEM file with the private key of the certificate.', path()),
  passphrase: v.optional(doc('Passphrase of an encrypted private key.', v.string('must be text'))),
});

const tlsSchema = v.strictObject({
  certificates: doc(
    'Certificates, chosen by the name the client asks for (SNI): exact, then wildcard, else the first.',
    v.pipe(
      v.array(certificateSchema, 'must be a list of certificates'),
      v.minLength(1, 'must name at least one certificate'),
    ),
  ),
  minimum_version: v.optional(
    doc('Oldest TLS version that is spoken.', v.picklist(['TLSv1_2', 'TLSv1_3'], 'must be TLSv1_2 or TLSv1_3')),
    'TLSv1_2',
  ),
  handshake_timeout: v.optional(doc('Time for a client to finish the TLS handshake; 0 is 120s.', duration()), '10s'),
  client_ca: v.optional(doc('PEM file with the authorities that client certificates are verified against.', path())),
  require_client_certificate: v.optional(
    doc('Refuse clients without a certificate that client_ca vouches for.', v.boolean('must be true or false')),
    false,
  ),
});

/** One place where clients connect. */
export const listenerSchema = v.strictObject({
  name: doc('Name in logs and metrics.', name()),
  address: doc('Where to listen: 0.0.0.0:80, [::]:443, unix:/run/portico.sock. Port 0 takes any free port.', address()),
  protocol: v.optional(
    doc(
      'auto speaks HTTP/1.1 and HTTP/2: by ALPN on TLS, by its preface (h2c, prior knowledge) on plain sockets.',
      v.picklist(['auto', 'http1', 'http2'], 'must be auto, http1 or http2'),
    ),
    'auto',
  ),
  tls: v.optional(doc('Terminates TLS. Left out, the listener speaks plain HTTP.', tlsSchema)),

  request_headers_timeout: v.optional(
    doc('Time from the first byte of a request to the end of its headers (408); 0 is off.', duration()),
    '10s',
  ),
  request_timeout: v.optional(
    doc('Time for the whole request to arrive, until the response starts (408); 0 is off.', duration()),
    '5m',
  ),
  stream_idle_timeout: v.optional(
    doc(
      'Time without a byte in either direction before an exchange is cut (SI: 408, or 504 once the request is whole); a route may override it; 0 is off.',
      duration(),
    ),
    '5m',
  ),
  min_request_body_rate: v.optional(
    doc(
      'Bytes a second that a request body has to arrive with, averaged over 5s, while nothing but the client holds it up; slower ones are answered 408; 0 is off.',
      byteSize(),
    ),
    240,
  ),
  stream_flush_timeout: v.optional(
    doc('Time without a byte of a response being read by the client before the exchange is cut; 0 is off.', duration()),
    '60s',
  ),
  min_response_rate: v.optional(
    doc(
      'Bytes a second that a client has to read of a response, averaged over 60s, while there is more for it to read; slower ones are cut (408 SI); 0 is off.',
      byteSize(),
    ),
    100,
  ),
  idle_timeout: v.optional(doc('Time a connection is kept without a request on it; 0 is off.', duration()), '60s'),

  max_headers_count: v.optional(doc('Most header lines of a request; more are answered 431.', integer(1, 1000)), 100),
  max_header_bytes: v.optional(doc('Most bytes of a request head; more are answered 431.', byteSize()), '60KiB'),
  max_uri_bytes: v.optional(doc('Longest request target; longer ones are answered 414.', byteSize()), '8KiB'),
  max_body_bytes: v.optional(doc('Most bytes of a request body; more are answered 413; 0 is no limit.', byteSize()), 0),
  max_concurrent_streams: v.optional(doc('Most HTTP/2 streams at once on one connection.', integer(1, 10_000)), 100),
  max_connections: v.optional(
    doc(
      'Most connections at once; beyond them the one that has been idle for longest is closed, and when there is none the new one; 0 is no limit.',
      integer(0),
    ),
    10_000,
  ),
  max_connections_per_client: v.optional(
    doc(
      'Most connections at once from one peer address (IPv6: from one /64); further ones are closed at once; 0 is no limit.',
      integer(0),
    ),
    5000,
  ),

  use_remote_address: v.optional(
    doc(
      'The client is the peer of the socket, and it is appended to x-forwarded-for. False behind an edge proxy that did so.',
      v.boolean('must be true or false'),
    ),
    true,
  ),
  xff_num_trusted_hops: v.optional(
    doc('Number of trusted proxies in front whose x-forwarded-* fields are believed.', integer(0, 100)),
    0,
  ),
  skip_xff_append: v.optional(doc('Leave x-forwarded-for as it came.', v.boolean('must be true or false')), false),
  forward_client_cert_details: v.optional(
    doc(
      'What x-forwarded-client-cert tells the app: sanitize removes it; sanitize_set writes what the verified client certificate says.',
      v.picklist(['sanitize', 'sanitize_set'], 'must be sanitize or sanitize_set'),
    ),
    'sanitize',
  ),
  via: v.optional(
    doc(
      'Name under which the proxy shows itself in the Via field; empty writes none.',
      v.pipe(v.string(), v.regex(/^[\w.-]{0,64}$/, 'must be a name')),
    ),
    'portico',
  ),
  early_hints: v.optional(
    doc(
      "Pass the app's 103 answers on to clients; some old clients take them for the final answer.",
      v.boolean('must be true or false'),
    ),
    true,
  ),
  path_with_escaped_slashes_action: v.optional(
    doc(
      'What to do with %2F, %5C and \\ in a path: reject answers 400.',
      v.picklist(['reject', 'keep_unchanged'], 'must be reject or keep_unchanged'),
    ),
    'reject',
  ),
  headers_with_underscores_action: v.optional(
    doc(
      'What to do with header names that contain an underscore, which many servers take for a hyphen: reject answers 400.',
      v.picklist(['reject', 'drop', 'allow'], 'must be reject, drop or allow'),
    ),
    'reject',
  ),
});

export type ListenerConfig = v.InferOutput<typeof listenerSchema>;
export type TlsConfig = NonNullable<ListenerConfig['tls']>;

function path() {
  return v.pipe(v.string('must be the path of a file'), v.minLength(1, 'must be the path of a file'));
}
