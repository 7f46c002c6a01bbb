import { protobufType, type ExpositionFormat } from '../exposition/negotiate.ts';

/** What is asked for, best first: OpenMetrics has exemplars and units. Quality values as Prometheus writes them. */
export const acceptHeaders: Readonly<Record<ExpositionFormat, string>> = {
  openmetrics:
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
  protobuf:
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,' +
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
  text: 'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
};

/**
 * The format by what the app says it sends; undefined for what is neither, such as an error page in HTML. An app that says nothing,
 * or `text/plain` with a version nobody knows, sends the text format.
 */
export function formatOf(contentType: string | undefined): ExpositionFormat | undefined {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'application/openmetrics-text') return 'openmetrics';
  if (type === protobufType) return 'protobuf';
  return type === '' || type === 'text/plain' ? 'text' : undefined;
}
