/** Unix time in milliseconds → text. */
export type FormatTime = (milliseconds: number) => string;

/** ISO 8601 with milliseconds in UTC: `2026-01-02T03:04:05.678Z`. Only the last three digits change within a second. */
export function isoTime(): FormatTime {
  let last = NaN;
  let text = '';
  let second = NaN;
  let prefix = '';
  return (milliseconds) => {
    if (milliseconds === last) return text;
    last = milliseconds;
    const whole = Math.floor(milliseconds / 1000);
    if (whole !== second) {
      second = whole;
      prefix = new Date(whole * 1000).toISOString().slice(0, 20);
    }
    text = `${prefix}${padded(Math.floor(milliseconds) - whole * 1000, 3)}Z`;
    return text;
  };
}

/**
 * Compiles a `strftime` format as Envoy reads it, in UTC: `%Y-%m-%dT%H:%M:%S.%3fZ`.
 * @throws Error that names the conversion that is not known
 */
export function compileTimeFormat(format: string): FormatTime {
  const parts: (string | Conversion)[] = [];
  for (let at = 0; at < format.length;) {
    if (format[at] !== '%') {
      const next = format.indexOf('%', at);
      const end = next < 0 ? format.length : next;
      parts.push(format.slice(at, end));
      at = end;
      continue;
    }
    const [text] = /^%(?:E?[1-9][fS]|E[zS]|.?)/s.exec(format.slice(at, at + 4))!;
    parts.push(conversion(text));
    at += text.length;
  }
  return (milliseconds) => {
    const date = new Date(milliseconds);
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : part(date);
    return text;
  };
}

type Conversion = (date: Date) => string;

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const conversions: Record<string, Conversion> = {
  '%%': () => '%',
  '%Y': (date) => String(date.getUTCFullYear()),
  '%y': (date) => padded(date.getUTCFullYear() % 100, 2),
  '%m': (date) => padded(date.getUTCMonth() + 1, 2),
  '%d': (date) => padded(date.getUTCDate(), 2),
  '%e': (date) => String(date.getUTCDate()).padStart(2, ' '),
  '%H': (date) => padded(date.getUTCHours(), 2),
  '%I': (date) => padded(date.getUTCHours() % 12 || 12, 2),
  '%p': (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  '%M': (date) => padded(date.getUTCMinutes(), 2),
  '%S': (date) => padded(date.getUTCSeconds(), 2),
  '%j': (date) => padded(dayOfYear(date), 3),
  '%a': (date) => days[date.getUTCDay()]!.slice(0, 3),
  '%A': (date) => days[date.getUTCDay()]!,
  '%b': (date) => months[date.getUTCMonth()]!.slice(0, 3),
  '%h': (date) => months[date.getUTCMonth()]!.slice(0, 3),
  '%B': (date) => months[date.getUTCMonth()]!,
  '%F': (date) => date.toISOString().slice(0, 10),
  '%T': (date) => date.toISOString().slice(11, 19),
  '%s': (date) => String(Math.floor(date.getTime() / 1000)),
  '%f': (date) => fraction(date, 9),
  '%z': () => '+0000',
  '%Ez': () => '+00:00',
  '%Z': () => 'UTC',
  '%n': () => ' ',
  '%t': () => ' ',
};

function conversion(text: string): Conversion {
  const known = conversions[text];
  if (known !== undefined) return known;
  const fractional = /^%(E?)([1-9])([fS])$/.exec(text);
  if (fractional !== null) {
    const digits = Number(fractional[2]);
    if (fractional[3] === 'f' && fractional[1] === '') return (date) => fraction(date, digits);
    if (fractional[3] === 'S' && fractional[1] === 'E') {
      return (date) => `${padded(date.getUTCSeconds(), 2)}.${fraction(date, digits)}`;
    }
  }
  throw new Error(
    `unknown conversion ${text === '%' ? '% at the end' : text} of a time; known are ${Object.keys(conversions).join(' ')} and %1f to %9f`,
  );
}

/** The clock tells milliseconds; digits beyond are zeros. */
function fraction(date: Date, digits: number): string {
  return padded(date.getUTCMilliseconds(), 3).padEnd(9, '0').slice(0, digits);
}

function dayOfYear(date: Date): number {
  return (
    (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) - Date.UTC(date.getUTCFullYear(), 0, 0)) /
    86_400_000
  );
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
