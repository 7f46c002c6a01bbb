/**
 * Go's `Regexp.Expand`: `$1`, `$name`, `${1}`, `${name}` and `$$`. A name after a bare `$` is as long as it can be, so that `$1x`
 * is the group `1x`; groups that there are not, or that took no part, are empty.
 */
export function expand(template: string, match: RegExpExecArray): string {
  if (!template.includes('$')) return template;
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))?/g, (whole, braced?: string, bare?: string) => {
    if (whole === '$$') return '$';
    const name = braced ?? bare;
    if (name === undefined) return whole;
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? '';
  });
}
