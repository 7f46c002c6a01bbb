import { escapingSchemes, type EscapingScheme } from './names.ts';

export type ExpositionFormat = 'text' | 'openmetrics' | 'protobuf';

/** What a scraper gets. */
export interface Negotiated {
  readonly format: ExpositionFormat;
  readonly escaping: EscapingScheme;
  readonly contentType: string;
}

interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

export const protobufType = 'application/vnd.google.protobuf';

/** Longest `Accept` that is looked at; of a longer one the end is ignored. */
const longest = 4096;

/**
 * Chooses by `Accept` as Prometheus' own library does (RFC 9110 §12.5.1): the best that is understood, the text format for
 * everybody else. Names are UTF-8 only for a scraper that says so.
 */
export function negotiate(accept: string | undefined): Negotiated {
  const ranges = parseAccept((accept ?? '').slice(0, longest));
  const chosen = ranges.find((range) => understood(range) !== undefined);
  const format = (chosen && understood(chosen)) ?? 'text';
  const asked = chosen?.parameters.get('escaping');
  const escaping = escapingSchemes.find((scheme) => scheme === asked) ?? 'underscores';
  return { format, escaping, contentType: contentType(format, escaping, asked !== undefined) };
}

function understood({ type, parameters }: Range): ExpositionFormat | undefined {
  const version = parameters.get('version');
  if (type === protobufType) {
    const isFamily = parameters.get('proto') === 'io.prometheus.client.MetricFamily';
    return isFamily && parameters.get('encoding') === 'delimited' ? 'protobuf' : undefined;
  }
  if (type === 'application/openmetrics-text') {
    return version === undefined || version === '1.0.0' || version === '0.0.1' ? 'openmetrics' : undefined;
  }
  if (type === 'text/plain')
    return version === undefined || version === '0.0.4' || version === '1.0.0' ? 'text' : undefined;
  return type === '*/*' || type === 'text/*' ? 'text' : undefined;
}

/** Old scrapers know neither the parameter `escaping` nor text 1.0.0. */
function contentType(format: ExpositionFormat, escaping: EscapingScheme, told: boolean): string {
  const suffix = told ? `; escaping=${escaping}` : '';
  if (format === 'protobuf') {
    return `${protobufType}; proto=io.prometheus.client.MetricFamily; encoding=delimited${suffix}`;
  }
  if (format === 'openmetrics') return `application/openmetrics-text; version=1.0.0; charset=utf-8${suffix}`;
  return `text/plain; version=${escaping === 'allow-utf-8' ? '1.0.0' : '0.0.4'}; charset=utf-8${suffix}`;
}

/** Best first; equals in their order. */
function parseAccept(accept: string): Range[] {
  return accept
    .split(',')
    .map(parseRange)
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .sort((one, other) => other.quality - one.quality);
}

function parseRange(text: string): Range {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map(
    rest.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
    }),
  );
  const q = Number(parameters.get('q') ?? '1');
  return { type: type.toLowerCase(), parameters, quality: q >= 0 && q <= 1 ? q : 0 };
}
