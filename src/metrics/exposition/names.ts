/** Names of metrics and labels: those that every reader knows, and UTF-8 ones, which are quoted and which older readers refuse. */

/** `[a-zA-Z_:][a-zA-Z0-9_:]*` */
export function isLegacyMetricName(name: string): boolean {
  return isLegacy(name, true);
}

/** `[a-zA-Z_][a-zA-Z0-9_]*` */
export function isLegacyLabelName(name: string): boolean {
  return isLegacy(name, false);
}

/** Whether a character may stand anywhere in the name of a label. */
export function isLabelCharacter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || isDigit(code);
}

/** By hand, because a page of new series asks this for every name in it, and a regular expression takes thrice as long. */
function isLegacy(name: string, colons: boolean): boolean {
  if (name === '' || isDigit(name.charCodeAt(0))) return false;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (!isLabelCharacter(code) && !(colons && code === 0x3a)) return false;
  }
  return true;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** How names that are not legacy ones are written for a reader that does not take UTF-8 (Prometheus' `escaping` parameter). */
export const escapingSchemes = ['allow-utf-8', 'underscores', 'dots', 'values'] as const;
export type EscapingScheme = (typeof escapingSchemes)[number];

/** As prometheus/common `model.EscapeName` does; a label name has no colon. */
export function escapeName(name: string, scheme: EscapingScheme, kind: 'metric' | 'label' = 'metric'): string {
  const legacy = kind === 'metric' ? isLegacyMetricName : isLegacyLabelName;
  if (name === '' || scheme === 'allow-utf-8') return name;
  // Dots doubles the underscores of every name.
  if (scheme !== 'dots' && legacy(name)) return name;
  const allowed = kind === 'metric' ? /[a-zA-Z0-9_:]/ : /[a-zA-Z0-9_]/;
  let escaped = scheme === 'values' ? 'U__' : '';
  let at = 0;
  for (const char of name) {
    const valid = allowed.test(char) && !(at === 0 && /\d/.test(char));
    if (scheme === 'underscores') escaped += valid ? char : '_';
    else if (char === '_') escaped += '__';
    else if (valid) escaped += char;
    else if (scheme === 'dots') escaped += char === '.' ? '_dot_' : '__';
    else escaped += `_${char.codePointAt(0)!.toString(16)}_`;
    at++;
  }
  return escaped;
}
