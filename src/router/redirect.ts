import { Headers, localReply, noBody, type Request } from '../http/index.ts';
import type { MatchConfig, RedirectConfig } from './config.ts';
import type { HeaderEdits } from './header-edits.ts';
import { compileRewrite } from './rewrite.ts';
import type { Route } from './route.ts';

/** Compiles the action that sends a client elsewhere. The location is always absolute. */
export function compileRedirect(
  config: RedirectConfig,
  match: MatchConfig,
  edits: HeaderEdits | undefined,
): Route['answer'] {
  const locate = compileLocation(config, match);
  return function redirect({ request }, receiver) {
    const location = locate(request);
    // HTTP/1.0 without Host: a location without host would be read by some clients as they please.
    if (location === undefined) return receiver.answer(localReply(400, 'redirect_without_host'));
    const headers = new Headers(['location', location]);
    edits?.(headers);
    receiver.answer(localReply(config.response_code, 'redirect', { headers, body: noBody }));
  };
}

/** Undefined from the function that is returned means that no host is known to send the client to. */
export function compileLocation(config: RedirectConfig, match: MatchConfig): (request: Request) => string | undefined {
  const target = compileTarget(config, match);
  return function locate(request) {
    const scheme = config.https_redirect ? 'https' : request.scheme;
    const authority = config.host_redirect ?? request.authority;
    if (authority === '') return undefined;
    return `${scheme}://${withPort(authority, scheme, request.scheme, config.port_redirect)}${target(request.path)}`;
  };
}

function compileTarget(config: RedirectConfig, match: MatchConfig): (target: string) => string {
  const fixed = config.path_redirect;
  const rewrite = compileRewrite(match, config.prefix_rewrite);
  return function targetOf(original) {
    if (fixed?.includes('?') === true) return fixed;
    const mark = original.indexOf('?');
    const query = mark < 0 || config.strip_query ? '' : original.slice(mark);
    const path = mark < 0 ? original : original.slice(0, mark);
    return (fixed ?? rewrite?.(path) ?? path) + query;
  };
}

/** A port is replaced if asked for, and dropped where it was the default of the scheme that is left. */
function withPort(authority: string, scheme: string, before: string, port: number | undefined): string {
  const given = /:(\d+)$/.exec(authority);
  const host = given === null ? authority : authority.slice(0, given.index);
  if (port !== undefined) return port === defaultPort(scheme) ? host : `${host}:${port}`;
  const leavesDefault = scheme !== before && given !== null && Number(given[1]) === defaultPort(before);
  return leavesDefault ? host : authority;
}

function defaultPort(scheme: string): number {
  return scheme === 'https' ? 443 : 80;
}
