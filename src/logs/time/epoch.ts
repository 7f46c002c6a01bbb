import type { Instant } from './instant.ts';

/**
 * A number since 1970 whose unit shows in its size: seconds (with a fraction, as zap writes them), milliseconds (pino),
 * microseconds or nanoseconds. What lies before 1973 is taken for something else, a duration for example.
 */
export function fromEpoch(value: number): Instant | undefined {
  if (!(value >= 1e8 && value < 1e19)) return undefined;
  if (value >= 1e11 && value < 1e14 && Number.isInteger(value)) return { time: value, nanos: 0 };
  return fromEpochDigits(String(value));
}

/** The same from text, without losing a digit: `1764079536`, `1764079536.123456789`, `1764079536123456789`. */
export function fromEpochDigits(text: string): Instant | undefined {
  const parts = /^(\d{9,20})(?:\.(\d{1,18}))?$/.exec(text);
  if (parts === null) return undefined;
  const whole = parts[1]!;
  const value = Number(whole);
  if (!(value >= 1e8 && value < 1e19)) return undefined;
  // Digits of the unit, to those of nanoseconds.
  const places = value < 1e11 ? 9 : value < 1e14 ? 6 : value < 1e17 ? 3 : 0;
  const nanoseconds = BigInt(whole + (parts[2] ?? '').slice(0, places).padEnd(places, '0'));
  return { time: Number(nanoseconds / 1_000_000n), nanos: Number(nanoseconds % 1_000_000n) };
}
