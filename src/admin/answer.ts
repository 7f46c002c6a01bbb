import type { AdminEndpoint } from './endpoints.ts';
import { unknownPath } from './endpoints.ts';
import { refusal, type Caller, type GuardRules } from './guard.ts';
import { text, type AdminReply, type AdminRequest } from './reply.ts';
import type { AdminView } from './view.ts';

/** A request as it came, without its sockets. */
export interface Question {
  readonly method: string;
  readonly headers?: AdminRequest['headers'];
  /** Request target, with query. */
  readonly target: string;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
  readonly caller: Caller;
}

/** Finds the row, checks who asks, renders. Never throws. */
export async function answer<View extends AdminView>(
  question: Question,
  endpoints: readonly AdminEndpoint<View>[],
  view: View,
  rules: GuardRules,
): Promise<AdminReply> {
  const { method, target } = question;
  if (!target.startsWith('/')) return text('the request target must be a path\n', 400);
  const [path, search] = splitOnce(target, '?');

  const rows = endpoints.filter((endpoint) => endpoint.path === path);
  const mutates = method !== 'GET' && method !== 'HEAD';
  const refused = refusal(question.caller, mutates, rules);
  if (refused !== undefined) return text(`refused: ${refused}\n`, 403);

  if (rows.length === 0) return unknownPath(path, endpoints);
  const row = mutates && method !== 'POST' ? undefined : rows.find((one) => one.mutates === mutates);
  if (row === undefined) return wrongMethod(method, path, rows);

  const query = new URLSearchParams(search);
  if (mutates && question.contentType?.startsWith('application/x-www-form-urlencoded') === true) {
    for (const [name, value] of new URLSearchParams(Buffer.from(question.body).toString())) query.append(name, value);
  }
  try {
    if (mutates) view.log.info('admin request', { path, query: query.toString().slice(0, 200) });
    const { headers = {}, body } = question;
    return await row.render(view, { method: mutates ? 'POST' : 'GET', path, query, headers, body });
  } catch (error) {
    view.log.error('admin endpoint failed', { path, error });
    return text(`${path} failed; the process log says why\n`, 500);
  }
}

function wrongMethod(method: string, path: string, rows: readonly AdminEndpoint<never>[]): AdminReply {
  const allow = rows.map((row) => (row.mutates ? 'POST' : 'GET, HEAD')).join(', ');
  const why = rows.every((row) => row.mutates)
    ? `${path} changes something and needs POST`
    : `${path} takes ${allow}, not ${method}`;
  return { ...text(`${why}\n`, 405), headers: { allow } };
}

function splitOnce(whole: string, separator: string): [string, string] {
  const at = whole.indexOf(separator);
  return at < 0 ? [whole, ''] : [whole.slice(0, at), whole.slice(at + 1)];
}
