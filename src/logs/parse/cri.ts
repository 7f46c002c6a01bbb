import { compileZone } from '../time/time-zone.ts';
import { parseRfc3339 } from '../time/rfc3339.ts';
import { unparsed, type Parse } from './parsed.ts';

const utc = compileZone('UTC');

/**
 * A line as container runtimes write it: `2026-11-25T13:55:36.123456789Z stdout F text`. What is tagged `P` is a part of a line, and says so
 * in `partial`.
 */
export function criParser(): Parse {
  return function parseCri(text, { readAt }) {
    const stampEnd = text.indexOf(' ');
    const streamEnd = stampEnd < 0 ? -1 : text.indexOf(' ', stampEnd + 1);
    if (streamEnd < 0) return unparsed(text, 'cri', 'not "time stream tag text"');
    const stream = text.slice(stampEnd + 1, streamEnd);
    if (stream !== 'stdout' && stream !== 'stderr') return unparsed(text, 'cri', 'neither stdout nor stderr');
    const tagEnd = text.indexOf(' ', streamEnd + 1);
    const tags = text.slice(streamEnd + 1, tagEnd < 0 ? text.length : tagEnd);
    // Further tags may follow one day, with colons between them.
    if (!/^[PF](?::|$)/.test(tags)) return unparsed(text, 'cri', 'tag is neither P nor F');
    const instant = parseRfc3339(text.slice(0, stampEnd), utc, readAt);
    if (instant === undefined) return unparsed(text, 'cri', 'no such time');
    const fields: Record<string, unknown> = { message: tagEnd < 0 ? '' : text.slice(tagEnd + 1), stream };
    if (tags.startsWith('P')) fields['partial'] = true;
    if (tags.length > 1) fields['cri_tags'] = tags;
    return { fields, instant, fault: undefined };
  };
}
