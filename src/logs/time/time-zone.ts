/**
 * Milliseconds of UTC for the milliseconds that a clock on the wall shows, both counted from 1970.
 * @param near when it was read, which tells the first from the second 02:30 of a night with 25 hours
 */
export type ToUtc = (wall: number, near: number) => number;

const day = 86_400_000;
/** Offsets change at full quarters of an hour everywhere since 1972. */
const quarter = 900_000;
/** Offsets that are remembered; a log file has few different hours at a time. */
const mostKnown = 4096;
/** Clocks of app and sidecar are the same, but a line may be stamped a little ahead. */
const slack = 60_000;

/**
 * Clock of a zone by its IANA name (`Europe/Berlin`), or a fixed one such as `+02:00`.
 *
 * A time that comes twice when clocks go back is the later of the two that is not in the future of `near`, so that live
 * records are right; a time that never was, when clocks go forward, is read with the offset before, and so lies as much later.
 * @throws RangeError when there is no such zone
 */
export function compileZone(name: string): ToUtc {
  if (/^(?:UTC|GMT|Z|Etc\/UTC)$/i.test(name)) return (wall) => wall;
  const fixed = /^([+-])(\d{2}):?(\d{2})$/.exec(name);
  if (fixed !== null) {
    const offset = (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
    if (Math.abs(offset) >= day) throw new RangeError(`Invalid time zone specified: ${name}`);
    return (wall) => wall - offset;
  }
  const offsetAt = offsets(name);
  return function toUtc(wall, near) {
    const before = offsetAt(wall - day);
    const after = offsetAt(wall + day);
    if (before === after) return wall - before;
    const earlier = wall - Math.max(before, after);
    const later = wall - Math.min(before, after);
    const earlierIs = wall - earlier === offsetAt(earlier);
    const laterIs = wall - later === offsetAt(later);
    if (earlierIs && laterIs) return later <= near + slack ? later : earlier;
    if (earlierIs) return earlier;
    if (laterIs) return later;
    return wall - before;
  };
}

/** Milliseconds that the zone is ahead of UTC at a moment of UTC; remembered, because Intl takes microseconds for it. */
function offsets(name: string): (utc: number) => number {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const known = new Map<number, number>();
  return function offsetAt(utc) {
    const block = Math.floor(utc / quarter);
    let offset = known.get(block);
    if (offset === undefined) {
      const start = block * quarter;
      offset = wallOf(clock, start) - start;
      if (known.size >= mostKnown) known.clear();
      known.set(block, offset);
    }
    return offset;
  };
}

function wallOf(clock: Intl.DateTimeFormat, utc: number): number {
  let wall: Record<string, string> = {};
  for (const { type, value } of clock.formatToParts(utc)) wall = Object.assign(wall, { [type]: value });
  const year = wall['era'] === 'BC' ? 1 - Number(wall['year']) : Number(wall['year']);
  const date = new Date(0);
  date.setUTCFullYear(year, Number(wall['month']) - 1, Number(wall['day']));
  date.setUTCHours(Number(wall['hour']), Number(wall['minute']), Number(wall['second']));
  return date.getTime();
}
