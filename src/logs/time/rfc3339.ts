import { civilDay, daysInMonth } from './civil.ts';
import type { Instant } from './instant.ts';
import type { ToUtc } from './time-zone.ts';

const minute = 60_000;

/**
 * Reads `2026-11-25T13:55:36.123456789+01:00` (RFC 3339), and what is written in its place: a space for the `T`, a comma before the
 * fraction, no colon in the offset, no offset at all, which then is that of `zone`. A fraction has up to nine digits that
 * count. A leap second is the first one after it.
 * @returns undefined for anything else
 */
export function parseRfc3339(text: string, zone: ToUtc, near: number): Instant | undefined {
  const { length } = text;
  if (length < 19 || length > 64) return undefined;
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return undefined;
  const separator = text.charCodeAt(10);
  if (separator !== 0x54 && separator !== 0x20 && separator !== 0x74) return undefined;
  if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return undefined;
  const year = pair(text, 0) * 100 + pair(text, 2);
  const month = pair(text, 5);
  const day = pair(text, 8);
  const hour = pair(text, 11);
  const minutes = pair(text, 14);
  const second = pair(text, 17);
  // A pair that is no number is NaN, for which no comparison holds.
  if (!(year >= 0 && day >= 1 && day <= daysInMonth(year, month) && hour <= 23 && minutes <= 59 && second <= 60)) {
    return undefined;
  }
  let at = 19;
  let fraction = 0;
  const mark = text.charCodeAt(at);
  if (mark === 0x2e || mark === 0x2c) {
    const start = ++at;
    for (let digit = digitAt(text, at); digit >= 0; digit = digitAt(text, ++at)) {
      if (at - start < 9) fraction = fraction * 10 + digit;
    }
    const digits = at - start;
    if (digits === 0) return undefined;
    for (let place = digits; place < 9; place++) fraction *= 10;
  }
  const millis = Math.floor(fraction / 1_000_000);
  const wall = civilDay(year, month, day) + ((hour * 60 + minutes) * 60 + second) * 1000 + millis;
  const nanos = fraction - millis * 1_000_000;
  if (at === length) return { time: zone(wall, near), nanos };
  const offset = parseOffset(text, at);
  return offset === undefined ? undefined : { time: wall - offset, nanos };
}

/** Milliseconds that `Z`, `+01:00`, `+0100` or `+01`, up to the end of the text, is ahead of UTC. */
export function parseOffset(text: string, start: number): number | undefined {
  let at = start;
  if (text.charCodeAt(at) === 0x20) at++;
  const sign = text.charCodeAt(at);
  const rest = text.length - at;
  if (sign === 0x5a || sign === 0x7a) return rest === 1 ? 0 : undefined;
  if (sign !== 0x2b && sign !== 0x2d) return undefined;
  const hours = pair(text, at + 1);
  const colon = text.charCodeAt(at + 3) === 0x3a ? 1 : 0;
  const minutes = rest === 3 ? 0 : pair(text, at + 3 + colon);
  if (rest !== 3 && rest !== 5 + colon) return undefined;
  if (!(hours <= 23 && minutes <= 59)) return undefined;
  const offset = (hours * 60 + minutes) * minute;
  return sign === 0x2d ? -offset : offset;
}

/** Two digits as a number, or else NaN. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30;
  const ones = text.charCodeAt(at + 1) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

/** One digit, or else -1. */
function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 0x30;
  return digit >= 0 && digit <= 9 ? digit : -1;
}
