import { isSecretKey, redacted, redactText } from './secret.ts';
import type { Place } from './place.ts';

/**
 * Plain data that can be shown: secrets are replaced, by the name of their key, by their look, and whenever a value came
 * from `${…}` or `file:`, which is where people keep secrets.
 */
export function redactedDump(data: unknown, place?: Place): unknown {
  if (place?.written !== undefined) return redacted;
  if (typeof data === 'string') return redactText(data);
  if (Array.isArray(data)) return data.map((one: unknown, index) => redactedDump(one, place?.members.get(index)));
  if (data === null || typeof data !== 'object') return data;
  // A JSON Web Key (RFC 7517): kty is what every one has.
  if ('kty' in data) return redacted;
  return Object.fromEntries(
    Object.entries(data).map(([key, one]) => [
      key,
      isSecretKey(key) && holdsSomething(one) ? redacted : redactedDump(one, place?.members.get(key)),
    ]),
  );
}

/** `cookie: true`, `token: 5`: a switch or a number under such a name says nothing. */
function holdsSomething(value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : typeof value === 'object' && value !== null;
}
