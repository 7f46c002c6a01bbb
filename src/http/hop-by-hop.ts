import { isToken, type Headers } from './headers.ts';

/**
 * Fields that speak of one connection only (RFC 9110 §7.6.1), and the framing, which each side's codec chooses by itself.
 * `trailer` goes too: what it announces is kept with the body, and announced again by who writes trailers.
 */
const connectionFields = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Fields that routing and framing rest on: nobody may have them removed by naming them in `Connection`. */
const neverNominated = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'authorization',
  'cookie',
]);

/**
 * Removes hop-by-hop fields, also those which `Connection` names.
 * @param keep nominated fields that stay because Portico itself answers for them (`x-forwarded-for` and its like)
 */
export function removeHopByHop(headers: Headers, keep: (lowerName: string) => boolean = () => false): void {
  const connection = headers.get('connection');
  const nominated = connection === undefined ? undefined : nominatedBy(connection);
  headers.filter(
    (name) =>
      !connectionFields.has(name) &&
      (nominated === undefined || !nominated.has(name) || neverNominated.has(name) || keep(name)),
  );
}

/** The options of a `Connection` value, in lower case. */
function nominatedBy(connection: string): Set<string> {
  const names = new Set<string>();
  for (const part of connection.split(',')) {
    const name = part.trim().toLowerCase();
    if (isToken(name)) names.add(name);
  }
  return names;
}
