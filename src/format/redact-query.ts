/** Stands in the place of a value that nobody shall read. */
const hidden = '***';

/**
 * Makes a function that hides the values of some parameters in the query (and fragment) of a path or URL.
 * @param names of parameters; case does not matter, and percent-encoding does not hide a name
 */
export function compileRedactQuery(names: readonly string[]): (target: string) => string {
  const secret = new Set(names.map((name) => name.toLowerCase()));
  if (secret.size === 0) return (target) => target;
  return function redactQuery(target) {
    const start = target.search(/[?#]/);
    if (start < 0) return target;
    return target.slice(0, start + 1) + redactParameters(target.slice(start + 1), secret);
  };
}

function redactParameters(query: string, secret: ReadonlySet<string>): string {
  return query.replace(/[^&#]+/g, (pair) => {
    const equals = pair.indexOf('=');
    return equals >= 0 && secret.has(nameOf(pair.slice(0, equals))) ? `${pair.slice(0, equals)}=${hidden}` : pair;
  });
}

/** `token` of `token`, `%74oken`, `token[]`, and of `/callback?token` in a fragment. */
function nameOf(written: string): string {
  let name = written.slice(written.lastIndexOf('?') + 1);
  if (name.includes('%')) {
    try {
      name = decodeURIComponent(name);
    } catch {
      // Not UTF-8: it is compared as it stands.
    }
  }
  const bracket = name.indexOf('[');
  return (bracket < 0 ? name : name.slice(0, bracket)).toLowerCase();
}
