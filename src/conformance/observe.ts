import type { Socket } from 'node:net';
import { escape } from './case-file.ts';
import { exchangeOn, type ExchangeOptions, type Seen } from './raw-client.ts';
import type { RecordedRequest, Recorder } from './recorder.ts';

/** What both sides saw of one case. */
export interface Observed {
  /** In the words of the case files: `200, 400 header_folded, closed`. */
  readonly client: string;
  /** In the words of the case files: `POST / "hello"; GET /2`, `incomplete` when a message did not end, or `nothing`. */
  readonly app: string;
  readonly seen: Seen;
  readonly requests: readonly RecordedRequest[];
  readonly unreadable: readonly string[];
}

/** @param socket a connection that is being made */
export async function observe(
  socket: Socket,
  recorder: Recorder,
  pieces: readonly Buffer[],
  options: ExchangeOptions,
): Promise<Observed> {
  recorder.reset();
  const heads = Buffer.concat(pieces).toString('latin1', 0, 5) === 'HEAD ';
  const seen = await exchangeOn(socket, pieces, { heads, ...options });
  return {
    client: clientSaw(seen),
    app: appSaw(recorder),
    seen,
    requests: [...recorder.requests],
    unreadable: [...recorder.unreadable],
  };
}

function clientSaw(seen: Seen): string {
  const parts = seen.messages.map(({ status, body, complete }) => {
    const details = status >= 400 && /^[\w{}-]+\n$/.test(body) ? ` ${body.trim()}` : '';
    return `${status === 0 ? 'garbage' : status}${details}${complete ? '' : ' broken'}`;
  });
  return [...parts, seen.closed ? 'closed' : 'open'].join(', ');
}

/** In the words of the case files. */
export function appSaw(recorder: Recorder): string {
  const parts = recorder.requests.map(({ method, target, body, complete, oddities }) => {
    const content = body.length === 0 ? '' : ` "${escape(body.length > 100 ? `${body.length} bytes` : body)}"`;
    const place = target.length > 100 ? `${target.slice(0, 10)}… ${target.length} bytes` : escape(target);
    return `${method} ${place}${content}${oddities.map((oddity) => ` with a ${oddity}`).join('')}${complete ? '' : ' incomplete'}`;
  });
  for (const text of recorder.unreadable) parts.push(`unreadable ${escape(text)}`);
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}
