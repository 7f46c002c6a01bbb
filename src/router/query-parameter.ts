/** Value of the first query parameter of the name in a request target, percent-decoded; undefined if there is none. */
export function queryParameter(target: string, name: string): string | undefined {
  let at = target.indexOf('?') + 1;
  while (at > 0 && at <= target.length) {
    const next = target.indexOf('&', at);
    const end = next < 0 ? target.length : next;
    const equals = target.indexOf('=', at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (decode(target.slice(at, nameEnd)) === name) return decode(target.slice(Math.min(nameEnd + 1, end), end));
    at = end + 1;
  }
  return undefined;
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
