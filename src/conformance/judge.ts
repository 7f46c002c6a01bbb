import { unescape, type WireCase } from './case-file.ts';
import type { Observed } from './observe.ts';
import type { RecordedRequest } from './recorder.ts';

/** `dangerous`: two parties read the bytes differently, or can. `differs`: another answer than the wanted one, and safe as such. */
export type Verdict = 'ok' | 'differs' | 'dangerous';

export interface Judgement {
  readonly verdict: Verdict;
  /** Why it is not ok. */
  readonly reasons: readonly string[];
}

/**
 * What a case comes down to, when answers of other proxies than Portico have to be compared with it:
 * `refused` nothing reached the app, and the client was told or cut; `waits` nothing was answered or forwarded;
 * `answered` by the proxy itself, well; `incomplete` the app has a message that never ended; else what the app saw.
 */
export type Outcome = string;

/** The outcome of a case that Portico has, in the first place, and others that the RFCs allow as well. */
export function wantedOutcomes({ fields }: WireCase): readonly Outcome[] {
  const app = fields.get('app') ?? 'nothing';
  const own =
    app === 'nothing'
      ? withoutApp(statusesIn(fields.get('client') ?? ''))
      : app.endsWith(' incomplete')
        ? 'incomplete'
        : app;
  const also = fields.get('also')?.split(' | ') ?? [];
  // Who keeps a message back until it is whole never forwards the one that does not end.
  return own === 'incomplete' ? [own, 'waits', 'refused', ...also] : [own, ...also];
}

export function outcomeOf({ app, client, requests, seen }: Observed): Outcome {
  const statuses = statusesIn(client);
  if (app === 'nothing') return seen.closed && statuses.length === 0 ? 'refused' : withoutApp(statuses);
  const alone = requests.length === 1 && !requests[0]!.complete;
  return alone && !statuses.some((status) => status < 400) ? 'incomplete' : app;
}

function withoutApp(statuses: readonly number[]): Outcome {
  if (statuses.length === 0) return 'waits';
  return statuses[0]! >= 400 ? 'refused' : 'answered';
}

/** Final statuses in a `client` field. */
function statusesIn(client: string): number[] {
  return client
    .split(', ')
    .map((part) => Number.parseInt(part, 10))
    .filter((status) => status >= 200);
}

/** Judges what a proxy made of a case. */
export function judge(wanted: WireCase, observed: Observed): Judgement {
  const dangers = dangersIn(wanted, observed);
  if (dangers.length > 0) return { verdict: 'dangerous', reasons: dangers };
  const reasons = differencesIn(wanted, observed);
  return { verdict: reasons.length === 0 ? 'ok' : 'differs', reasons };
}

function dangersIn(wanted: WireCase, { requests, unreadable }: Observed): string[] {
  // A proxy that tries again passes the same on twice.
  const dangers = [...new Set(unreadable.map((text) => `passed on: ${text.slice(0, text.indexOf(': '))}`))];
  const most = Math.max(1, countRequests(wanted.fields.get('app') ?? 'nothing'));
  if (requests.length > most)
    dangers.push(`${requests.length} requests out of ${most}: ${requests[most]!.method} ${requests[most]!.target}`);
  if (wantedOutcomes(wanted)[0] === 'incomplete' && requests.some(({ complete }) => complete))
    dangers.push('made a whole message of a broken one');
  return dangers;
}

/** Requests in an `app` field; contents may have semicolons of their own. */
function countRequests(app: string): number {
  return app === 'nothing' ? 0 : app.replace(/"(?:[^"\\]|\\.)*"/g, '').split('; ').length;
}

function differencesIn(wanted: WireCase, observed: Observed): string[] {
  const outcomes = wantedOutcomes(wanted);
  const outcome = outcomeOf(observed);
  if (!outcomes.includes(outcome)) return [`${describe(outcome, observed)} instead of ${outcomes.join(' or ')}`];
  const reasons: string[] = [];
  const statuses = statusesIn(observed.client);
  const answered = statuses.filter((status) => status < 300).length;
  const whole = observed.requests.filter(({ complete }) => complete).length;
  if (whole > answered) reasons.push(`the app has answered ${whole}, the client has ${answered}`);
  const client = wanted.fields.get('client') ?? '';
  if (outcome === outcomes[0] && client.endsWith('closed') && !observed.seen.closed && mustClose(outcome, client)) {
    reasons.push('the connection stays open');
  }
  return [...reasons, ...fieldDifferences(wanted, observed)];
}

/** After a refusal other than for malformed bytes the connection may go on. */
function mustClose(outcome: Outcome, client: string): boolean {
  if (outcome === 'refused') return client.startsWith('400');
  return outcome !== 'waits' && outcome !== 'answered';
}

function fieldDifferences({ fields }: WireCase, { requests }: Observed): string[] {
  const first = requests[0];
  if (first === undefined) return [];
  const heads = [first.text, joinedLines(first)].map((text) => text.toLowerCase());
  const has = (text: string) => heads.some((head) => head.includes(unescape(text).toString('latin1').toLowerCase()));
  const texts = (name: string) => fields.get(name)?.split(' | ') ?? [];
  return [
    ...first.oddities.map((oddity) => `the app is given a ${oddity}`),
    ...texts('app-has').flatMap((text) => (has(text) ? [] : [`the app lacks ${text.replaceAll('\\r\\n', '')}`])),
    ...texts('app-lacks').flatMap((text) => (has(text) ? [`the app is given ${text}`] : [])),
  ];
}

/** The head with one line a name: a list and several lines are the same (RFC 9110 §5.3). */
function joinedLines({ method, target, fields }: RecordedRequest): string {
  const byName = Map.groupBy(fields, ([name]) => name);
  const lines = [...byName].map(([name, members]) => `${name}: ${members.map(([, value]) => value).join(', ')}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}`;
}

function describe(outcome: Outcome, { app }: Observed): string {
  return outcome === app ? 'forwarded' : outcome;
}
