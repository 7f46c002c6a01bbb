import { fieldName, type FieldName } from '../../http2/index.ts';

/** Fields that speak of an HTTP/1 connection, frame a message or announce trailers; these we write ourselves (RFC 9113 §8.2.2). */
const notInHttp2 = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
  'http2-settings',
]);

/** Names are few; an app that makes up new ones has them looked up each time. */
const mostNames = 1000;
const longestName = 64;
const names = new Map<string, FieldName | undefined>();

export const contentLength = fieldName('content-length');
export const trailerName = fieldName('trailer');
export const dateName = fieldName('date');

/** The name as HTTP/2 has it, or undefined for a field that does not belong there. */
export function responseField(name: string): FieldName | undefined {
  if (names.has(name)) return names.get(name);
  const lower = name.toLowerCase();
  // One object a name, whatever its case: the encoder tells names apart by it.
  const field =
    lower !== name
      ? responseField(lower)
      : notInHttp2.has(lower)
        ? undefined
        : lower === 'date'
          ? dateName
          : fieldName(lower);
  if (names.size < mostNames && name.length <= longestName) names.set(name, field);
  return field;
}
