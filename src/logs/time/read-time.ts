import { fromEpoch, fromEpochDigits } from './epoch.ts';
import type { Instant } from './instant.ts';
import { parseRfc3339 } from './rfc3339.ts';
import { compileTimeFormat } from './time-format.ts';
import { compileZone } from './time-zone.ts';

/** What a field says about when it was, or undefined. `near` is when it was read, milliseconds since 1970. */
export type ReadTime = (value: unknown, near: number) => Instant | undefined;

export interface TimeOptions {
  /** strptime; without it RFC 3339 and numbers since 1970. */
  readonly time_format?: string | undefined;
  /** IANA name or offset, for stamps that name none. */
  readonly time_zone: string;
}

/** @throws Error when the format or the zone cannot be used; their schema has checked that */
export function compileReadTime({ time_format: format, time_zone: name }: TimeOptions): ReadTime {
  const zone = compileZone(name);
  if (format !== undefined) {
    const read = compileTimeFormat(format, zone);
    return function readFormatted(value, near) {
      if (typeof value === 'string') return value.length <= 128 ? read(value, near) : undefined;
      return typeof value === 'number' ? read(String(value), near) : undefined;
    };
  }
  return function readUsual(value, near) {
    if (typeof value === 'number') return fromEpoch(value);
    if (typeof value !== 'string') return undefined;
    return parseRfc3339(value, zone, near) ?? fromEpochDigits(value);
  };
}
