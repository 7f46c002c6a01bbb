/** Names of metrics and labels: those that every reader knows, and UTF-8 ones, which are quoted and which older readers refuse. */

export function isLegacyMetricName(name: string): boolean {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
}

export function isLegacyLabelName(name: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
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
