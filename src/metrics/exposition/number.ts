/** Numbers as the text formats write them. They are checked and compared here, and otherwise stay the text they are. */

const real = /^(?:[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf(?:inity)?)|nan)$/i;

/**
 * What both formats allow and every Prometheus reads: no hexadecimal, no `_`, and nothing that overflows a float, since Go
 * refuses `1e999` and with it the whole page (OpenMetrics 1.0, ABNF `realnumber`; Go `strconv.ParseFloat`).
 */
export function isReal(token: string): boolean {
  // Most values are a few digits.
  if (token.length <= 15 && onlyDigits(token)) return true;
  return real.test(token) && (Number.isFinite(Number(token)) || /^(?:[+-]?i|n)/i.test(token));
}

/**
 * A time stamp of the text format as every Prometheus reads it: milliseconds since 1970, an integer of 64 bits. The format has
 * earlier times as well, and Prometheus refuses a page with one.
 */
export function isTimestamp(token: string): boolean {
  if (!/^\d{1,19}$/.test(token)) return false;
  return token.length < 19 || BigInt(token) < 2n ** 63n;
}

/** A number of one of the formats as JavaScript's; NaN for anything else. */
export function toNumber(token: string): number {
  const direct = Number(token);
  if (!Number.isNaN(direct)) return direct;
  if (/^\+?inf(?:inity)?$/i.test(token)) return Infinity;
  return /^-inf(?:inity)?$/i.test(token) ? -Infinity : NaN;
}

/** Seconds with a fraction → whole milliseconds; what is finer is cut off. Digits are moved, not computed, where possible. */
export function secondsToMilliseconds(seconds: string): string {
  const plain = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(seconds);
  if (plain === null) return String(Math.trunc(Number(seconds) * 1000));
  const [, sign = '', whole = '', fraction = ''] = plain;
  const digits = `${whole}${fraction.slice(0, 3).padEnd(3, '0')}`.replace(/^0+(?=\d)/, '');
  return `${sign === '-' && digits !== '0' ? '-' : ''}${digits}`;
}

/** Whole milliseconds → seconds with a fraction. */
export function millisecondsToSeconds(milliseconds: string): string {
  const [, sign = '', text = ''] = /^([+-]?)0*(\d+)$/.exec(milliseconds) ?? [];
  const digits = text.padStart(4, '0');
  const fraction = digits.slice(-3).replace(/0+$/, '');
  return `${sign === '-' ? '-' : ''}${digits.slice(0, -3)}${fraction === '' ? '' : `.${fraction}`}`;
}

function onlyDigits(token: string): boolean {
  for (let at = 0; at < token.length; at++) {
    const code = token.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return token.length > 0;
}
