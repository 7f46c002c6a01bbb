import type { AdminReply, AdminRequest } from '../admin/index.ts';
import { escapeFamilies } from './exposition/escape-families.ts';
import { negotiate, type ExpositionFormat } from './exposition/negotiate.ts';
import { renderOpenMetrics } from './exposition/render-openmetrics.ts';
import { renderProtobuf } from './exposition/render-protobuf.ts';
import { renderText } from './exposition/render-text.ts';
import type { MetricFamily } from './family.ts';
import { nativeHistograms } from './native-histograms.ts';
import type { Snapshot } from './push/snapshot.ts';

const renderers: Readonly<Record<ExpositionFormat, (families: readonly MetricFamily[]) => Iterable<Buffer>>> = {
  text: renderText,
  openmetrics: renderOpenMetrics,
  protobuf: renderProtobuf,
};

/** A page is made as it is taken. */
export interface PageReply extends AdminReply {
  readonly body: Iterable<Uint8Array>;
  /** Native histograms that this format cannot show as such. */
  readonly reducedHistograms: number;
}

/** The page in the format that the scraper asked for. */
export function pageReply({ families }: Snapshot, headers: AdminRequest['headers']): PageReply {
  const { format, escaping, contentType } = negotiate(headers['accept']?.join(','));
  const escaped = escapeFamilies(families, escaping);
  return {
    status: 200,
    contentType,
    headers: { vary: 'accept, accept-encoding' },
    body: renderers[format](escaped),
    reducedHistograms: format === 'protobuf' ? 0 : nativeHistograms(families),
  };
}
