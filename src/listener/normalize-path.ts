/**
 * One spelling of a request target, made once and before routing, so that what the rules match is what the app gets.
 * Nothing is decoded; what two parsers could read differently is refused.
 */
export type NormalizedPath = { readonly path: string } | { readonly refused: PathFault };

/** Response code details of the refusals, all answered 400. */
export type PathFault =
  | 'path_not_absolute'
  | 'path_invalid_character'
  | 'path_fragment'
  | 'path_malformed_percent'
  | 'path_nul'
  | 'path_overlong_utf8'
  | 'path_escaped_slash'
  | 'path_ambiguous_dot_segment';

export type EscapedSlashes = 'reject' | 'keep_unchanged';

/** Nearly all targets: no percent, no dot segment, no empty segment, nothing to think about. */
const plain = /^(?=\/)(?:\/[\w!$&'()*+,:=@~-][\w!$&'()*+,:=@~.-]*)*\/?(?:\?[\w!$&'()*+,:;=@~./?%[\]-]*)?$/;
/** Everything visible in ASCII but the fragment's #; a space or a control character ends the target for some parsers. */
const visible = /^[\x21\x22\x24-\x7e]*$/;
const malformedPercent = /%(?![0-9A-Fa-f]{2})/;
/** Longer encodings than needed: C0/C1 of ASCII, E0 80-9F and F0 80-8F of shorter sequences (RFC 3629 §3). */
const overlong = /%c[01]%[89ab][0-9a-f]|%e0%[89][0-9a-f]|%f0%8[0-9a-f]/i;
const escapedSlash = /%2f|%5c|\\/i;
/** `..;` and its like: a dot segment with a parameter, which servlet containers cut off after the rules have looked. */
const dotWithParameter = /^(?:\.|%2e){1,2}(?:;|%3b)/i;
const dot = /^(?:\.|%2e)$/i;
const dotDot = /^(?:\.|%2e){2}$/i;

/** @param target origin-form target with its query, which is left as it came */
export function normalizePath(target: string, escapedSlashes: EscapedSlashes): NormalizedPath {
  if (plain.test(target)) return { path: target };
  if (!target.startsWith('/')) return { refused: 'path_not_absolute' };
  if (target.includes('#')) return { refused: 'path_fragment' };
  if (!visible.test(target)) return { refused: 'path_invalid_character' };

  const at = target.indexOf('?');
  const query = at < 0 ? '' : target.slice(at);
  let path = at < 0 ? target : target.slice(0, at);
  if (malformedPercent.test(path)) return { refused: 'path_malformed_percent' };
  if (path.includes('%00')) return { refused: 'path_nul' };
  if (overlong.test(path)) return { refused: 'path_overlong_utf8' };
  if (escapedSlashes === 'reject') {
    if (escapedSlash.test(path)) return { refused: 'path_escaped_slash' };
  } else {
    path = path.replaceAll('\\', '/');
  }

  const segments: string[] = [];
  let directory = true;
  for (const segment of path.split('/')) {
    if (dotWithParameter.test(segment)) return { refused: 'path_ambiguous_dot_segment' };
    directory = segment === '' || dot.test(segment) || dotDot.test(segment);
    if (!directory) segments.push(segment);
    else if (dotDot.test(segment)) segments.pop();
  }
  return { path: `/${segments.join('/')}${directory && segments.length > 0 ? '/' : ''}${query}` };
}
