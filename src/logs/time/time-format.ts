import { civilDay, daysInMonth } from './civil.ts';
import type { Instant } from './instant.ts';
import type { ToUtc } from './time-zone.ts';

/** Reads a time stamp that is the whole text; `near` is when it was read, milliseconds since 1970. */
export type ReadStamp = (text: string, near: number) => Instant | undefined;

/** What has been read so far; undefined is what the format does not name. */
interface Stamp {
  year: number | undefined;
  month: number | undefined;
  day: number | undefined;
  hour: number;
  minute: number;
  second: number;
  /** Nanoseconds. */
  fraction: number;
  afternoon: boolean | undefined;
  /** Milliseconds ahead of UTC. */
  offset: number | undefined;
  epoch: number | undefined;
}

/** Reads from `at` and says where it ended, or -1. */
type Step = (text: string, at: number, stamp: Stamp) => number;

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const longMonths = [
  ...['january', 'february', 'march', 'april', 'may', 'june', 'july'],
  ...['august', 'september', 'october', 'november', 'december'],
];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const longDays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const day = 86_400_000;

/** What `%` and a letter read. */
const tokens: Readonly<Record<string, Step>> = {
  Y: digits(4, 4, (stamp, value) => (stamp.year = value)),
  // POSIX: 69 to 99 are of the last century.
  y: digits(2, 2, (stamp, value) => (stamp.year = value + (value < 69 ? 2000 : 1900))),
  m: digits(1, 2, (stamp, value) => (stamp.month = value)),
  d: digits(1, 2, (stamp, value) => (stamp.day = value)),
  e: spaced(digits(1, 2, (stamp, value) => (stamp.day = value))),
  H: digits(1, 2, (stamp, value) => (stamp.hour = value)),
  k: spaced(digits(1, 2, (stamp, value) => (stamp.hour = value))),
  I: digits(1, 2, (stamp, value) => (stamp.hour = value >= 1 && value <= 12 ? value % 12 : 99)),
  M: digits(2, 2, (stamp, value) => (stamp.minute = value)),
  S: digits(2, 2, (stamp, value) => (stamp.second = value)),
  f: fraction,
  L: fraction,
  N: fraction,
  s: digits(1, 12, (stamp, value) => (stamp.epoch = value)),
  b: word(months, (stamp, index) => (stamp.month = index + 1)),
  h: word(months, (stamp, index) => (stamp.month = index + 1)),
  B: word(longMonths, (stamp, index) => (stamp.month = index + 1)),
  a: word(days, () => undefined),
  A: word(longDays, () => undefined),
  p: word(['am', 'pm'], (stamp, index) => (stamp.afternoon = index === 1)),
  z: offset,
  Z: word(['utc', 'gmt', 'z'], (stamp) => (stamp.offset = 0)),
  '%': literal('%'),
};

const shorthands: Readonly<Record<string, string>> = {
  T: '%H:%M:%S',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  R: '%H:%M',
};

/** Letters that may follow `%`, for messages. */
export const timeTokens: string = [...Object.keys(tokens), ...Object.keys(shorthands)].join(' ');

/**
 * A format as strptime knows them: `%Y-%m-%dT%H:%M:%S.%f%z`, `%b %e %H:%M:%S`. `%f`, `%L` and `%N` all are a fraction of a second of one
 * to nine digits. A space matches one space or more. Without a zone in the text it is `zone`'s; without a year, or without a date, the
 * one that brings the stamp nearest to the time of reading.
 * @throws Error whose message says what is wrong with the format
 */
export function compileTimeFormat(format: string, zone: ToUtc): ReadStamp {
  const steps: Step[] = [];
  const seen = new Set<string>();
  compileInto(format, steps, seen);
  if (!seen.has('s') && !['H', 'k', 'I'].some((hour) => seen.has(hour))) {
    throw new Error('must have the time of day (%H:%M:%S), or seconds since 1970 (%s)');
  }
  if (seen.has('m') !== (seen.has('d') || seen.has('e')) && !hasNamedMonth(seen)) {
    throw new Error('must have both month and day, or neither');
  }
  return function readStamp(text, near) {
    const stamp: Stamp = {
      ...{ year: undefined, month: undefined, day: undefined, hour: 0, minute: 0, second: 0, fraction: 0 },
      ...{ afternoon: undefined, offset: undefined, epoch: undefined },
    };
    let at = 0;
    for (const step of steps) {
      at = step(text, at, stamp);
      if (at < 0) return undefined;
    }
    return at === text.length ? toInstant(stamp, zone, near) : undefined;
  };
}

function hasNamedMonth(seen: ReadonlySet<string>): boolean {
  return ['b', 'h', 'B'].some((month) => seen.has(month)) && (seen.has('d') || seen.has('e'));
}

function compileInto(format: string, steps: Step[], seen: Set<string>): void {
  for (let at = 0; at < format.length; at++) {
    const char = format[at]!;
    if (char === ' ') steps.push(spaces);
    else if (char !== '%') steps.push(literal(char));
    else {
      const letter = format[++at];
      const shorthand = letter === undefined ? undefined : shorthands[letter];
      const token = letter === undefined ? undefined : tokens[letter];
      if (shorthand !== undefined) compileInto(shorthand, steps, seen);
      else if (token === undefined) throw new Error(`%${letter ?? ''} is not known; there are % and ${timeTokens}`);
      else {
        seen.add(letter!);
        steps.push(token);
      }
    }
  }
}

function toInstant(stamp: Stamp, zone: ToUtc, near: number): Instant | undefined {
  const millis = Math.floor(stamp.fraction / 1_000_000);
  const nanos = stamp.fraction - millis * 1_000_000;
  if (stamp.epoch !== undefined) return { time: stamp.epoch * 1000 + millis, nanos };
  const hour = stamp.hour + (stamp.afternoon === true ? 12 : 0);
  if (hour > 23 || stamp.minute > 59 || stamp.second > 60) return undefined;
  const ofDay = ((hour * 60 + stamp.minute) * 60 + stamp.second) * 1000 + millis;
  const at = (midnight: number) =>
    stamp.offset === undefined ? zone(midnight + ofDay, near) : midnight + ofDay - stamp.offset;
  let best: number | undefined;
  for (const midnight of midnights(stamp, near)) {
    const candidate = at(midnight);
    if (best === undefined || Math.abs(candidate - near) < Math.abs(best - near)) best = candidate;
  }
  return best === undefined ? undefined : { time: best, nanos };
}

/** The days that the stamp may mean, as milliseconds of a clock on the wall. */
function* midnights({ year, month, day: dayOfMonth }: Stamp, near: number): Generator<number> {
  if (month === undefined || dayOfMonth === undefined) {
    const today = Math.floor(near / day) * day;
    if (year === undefined) yield* [today - day, today, today + day];
    return;
  }
  const thisYear = new Date(near).getUTCFullYear();
  for (const candidate of year === undefined ? [thisYear - 1, thisYear, thisYear + 1] : [year]) {
    if (dayOfMonth >= 1 && dayOfMonth <= daysInMonth(candidate, month)) yield civilDay(candidate, month, dayOfMonth);
  }
}

function digits(least: number, most: number, set: (stamp: Stamp, value: number) => void): Step {
  return function readDigits(text, start, stamp) {
    let value = 0;
    let at = start;
    for (; at - start < most; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    if (at - start < least) return -1;
    set(stamp, value);
    return at;
  };
}

/** A number may be padded with a space in place of a zero. */
function spaced(step: Step): Step {
  return (text, at, stamp) => step(text, text.charCodeAt(at) === 0x20 ? at + 1 : at, stamp);
}

function fraction(text: string, start: number, stamp: Stamp): number {
  let value = 0;
  let at = start;
  for (; at - start < 9; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    value = value * 10 + digit;
  }
  if (at === start) return -1;
  stamp.fraction = value * 10 ** (9 - (at - start));
  return at;
}

function offset(text: string, start: number, stamp: Stamp): number {
  const found = zoneText.exec(text.slice(start, start + 6));
  if (found === null) return -1;
  const [whole, sign, hours, minutes] = found;
  const value = sign === undefined ? 0 : Number(hours) * 60 + Number(minutes ?? 0);
  if (Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) return -1;
  stamp.offset = (sign === '-' ? -value : value) * 60_000;
  return start + whole.length;
}

const zoneText = /^(?:Z|z|([+-])(\d{2})(?::?(\d{2}))?)/;

function word(words: readonly string[], set: (stamp: Stamp, index: number) => void): Step {
  return function readWord(text, at, stamp) {
    const index = words.findIndex((known) => text.slice(at, at + known.length).toLowerCase() === known);
    if (index < 0) return -1;
    set(stamp, index);
    return at + words[index]!.length;
  };
}

function literal(char: string): Step {
  return (text, at) => (text[at] === char ? at + 1 : -1);
}

function spaces(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === 0x20) at++;
  return at === start ? -1 : at;
}
