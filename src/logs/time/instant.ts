/** A moment: milliseconds since 1970 in UTC, and nanoseconds from 0 to 999,999 within that millisecond. */
export interface Instant {
  readonly time: number;
  readonly nanos: number;
}
