import { escape } from './case-file.ts';
import { exchangeBytes, type Seen } from './raw-client.ts';
import type { Recorder } from './recorder.ts';

/** What both sides saw of one case, in the words of the case files. */
export interface Observed {
  /** `200, 400 header_folded, closed`: statuses, details of local replies, and what became of the connection. */
  readonly client: string;
  /** `POST / "hello"; GET /2`: the requests as the app read them; `incomplete` when one did not end; or `nothing`. */
  readonly app: string;
  readonly seen: Seen;
}

export async function observe(port: number, recorder: Recorder, pieces: readonly Buffer[], quiet: number): Promise<Observed> {
  recorder.reset();
  const heads = Buffer.concat([...pieces]).toString('latin1', 0, 5) === 'HEAD ';
  const seen = await exchangeBytes(port, pieces, { quiet, heads });
  return { client: clientSaw(seen), app: appSaw(recorder), seen };
}

function clientSaw(seen: Seen): string {
  const parts = seen.messages.map(({ status, body, complete }) => {
    const details = status >= 400 && /^[\w{}-]+\n$/.test(body) ? ` ${body.trim()}` : '';
    return `${status === 0 ? 'garbage' : status}${details}${complete ? '' : ' broken'}`;
  });
  return [...parts, seen.closed ? 'closed' : 'open'].join(', ');
}

function appSaw(recorder: Recorder): string {
  const parts = recorder.requests.map(({ method, target, body, complete }) => {
    const content = body.length === 0 ? '' : ` "${escape(body.length > 100 ? `${body.length} bytes` : body)}"`;
    return `${method} ${target.length > 100 ? `${target.slice(0, 10)}… ${target.length} bytes` : target}${content}${complete ? '' : ' incomplete'}`;
  });
  for (const text of recorder.unreadable) parts.push(`unreadable ${escape(text)}`);
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}
