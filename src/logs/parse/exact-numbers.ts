/** A number that may have more digits than a double holds, or is larger than the largest one; strings are hits, too, which costs time only. */
const suspicious = /[:[,\s]-?(?:[\d.]{16}|[\d.]+[eE])/;

/**
 * JSON whose numbers do not change: one that a double cannot hold, such as an id of 19 digits or 1e400, comes out as a string of
 * the same digits.
 * @throws SyntaxError as JSON.parse
 */
export function parseExactly(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return suspicious.test(text) ? withExactNumbers(text) : value;
}

function withExactNumbers(text: string): unknown {
  return JSON.parse(text, function keepDigits(
    this: unknown,
    _key: string,
    value: unknown,
    context?: { source: string },
  ) {
    if (typeof value !== 'number' || context === undefined) return value;
    return sameDecimal(context.source, String(value)) ? value : context.source;
  } as (this: unknown, key: string, value: unknown) => unknown);
}

/** Whether two decimal numbers are the same number: `1.50` and `1.5`, `1e3` and `1000`. */
function sameDecimal(a: string, b: string): boolean {
  return a === b || decimal(a) === decimal(b);
}

function decimal(text: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (parts === null) return `not a number: ${text}`;
  const [, sign, whole, fraction = '', exponent = '0'] = parts;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = withoutTrailingZeros(digits);
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}
