/** Stands where a secret was. */
export const redacted = '[redacted]';

const secretKeys =
  /(?:^|[_-])(?:pass(?:phrase|word|wd)|secrets?|credentials?|api[_-]?key|(?:access|auth|bearer|refresh|session)[_-]token)$|^(?:token|inline|inline_(?:jwks?|keys?|string|bytes)|(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)$/i;

/** Whether what stands under this key is nobody's business, by its name. */
export function isSecretKey(key: string): boolean {
  return secretKeys.test(key);
}

/** Takes out of a text what is secret by its look: key material, passwords in URLs. */
export function redactText(text: string): string {
  if (text.includes('-----BEGIN')) return redacted;
  if (/"(?:kty|keys)"\s*:/.test(text)) return redacted;
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, `$1${redacted}@`);
}
