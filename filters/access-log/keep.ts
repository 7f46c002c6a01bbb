import { pathOf, type Exchange, type ResponseFlag } from 'portico';

/** What a request must be like to be logged: everything that is given must be true. */
export interface Conditions {
  readonly status_code: readonly { readonly min: number; readonly max: number }[];
  /** Milliseconds. */
  readonly min_duration: number;
  readonly response_flags: readonly (ResponseFlag | '*')[];
  readonly not_paths: readonly string[];
  /** 0 to 100 percent. */
  readonly sampling: number;
}

/**
 * Compiles conditions into a question asked of each finished exchange.
 * @param random 0 to 1, for requests without x-request-id
 */
export function compileConditions(conditions: Conditions, random: () => number): (exchange: Exchange) => boolean {
  const tests = [
    ...statusTest(conditions.status_code),
    ...durationTest(conditions.min_duration),
    ...flagTest(conditions.response_flags),
    ...pathTest(conditions.not_paths),
    ...samplingTest(conditions.sampling, random),
  ];
  return (exchange) => tests.every((test) => test(exchange));
}

type Test = (exchange: Exchange) => boolean;

function statusTest(ranges: Conditions['status_code']): Test[] {
  if (ranges.length === 0) return [];
  return [
    (exchange) => {
      const status = exchange.response?.status ?? 0;
      return ranges.some(({ min, max }) => status >= min && status <= max);
    },
  ];
}

function durationTest(least: number): Test[] {
  return least === 0 ? [] : [(exchange) => (exchange.duration ?? 0) >= least];
}

function flagTest(flags: Conditions['response_flags']): Test[] {
  if (flags.length === 0) return [];
  if (flags.includes('*')) return [(exchange) => exchange.responseFlags.length > 0];
  return [(exchange) => exchange.responseFlags.some((flag) => flags.includes(flag))];
}

/** `/healthz` is that path, `/static/*` all that begin so. */
function pathTest(paths: readonly string[]): Test[] {
  if (paths.length === 0) return [];
  const exact = new Set(paths.filter((path) => !path.endsWith('*')));
  const prefixes = paths.filter((path) => path.endsWith('*')).map((path) => path.slice(0, -1));
  return [
    (exchange) => {
      const path = pathOf(exchange.originalPath);
      return !exact.has(path) && !prefixes.some((prefix) => path.startsWith(prefix));
    },
  ];
}

/** The same id gives the same answer everywhere, so a sampled request is found in the logs of all proxies that it passed. */
function samplingTest(percent: number, random: () => number): Test[] {
  if (percent >= 100) return [];
  const share = percent / 100;
  return [
    (exchange) => {
      const id = exchange.request.headers.get('x-request-id');
      return (id === undefined ? random() : shareOf(id)) < share;
    },
  ];
}

/** A number from 0 to 1 that belongs to the text: FNV-1a, mixed as MurmurHash3 ends, since ids may differ in one digit only. */
export function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}
