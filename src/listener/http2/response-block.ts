import { isLocalReply, type Headers, type Response } from '../../http/index.ts';
import type { FrameWriter, HeaderEncoder } from '../../http2/index.ts';
import { contentLength, dateName, responseField, trailerName } from './response-fields.ts';

/** Where blocks of fields are written to, one behind the other. */
export interface BlockTarget {
  readonly frames: FrameWriter;
  readonly encoder: HeaderEncoder;
}

/**
 * The head of a final response.
 * @param length value of content-length, if there shall be one
 * @param date value of the date field, if the response has none
 * @param announced names of trailers to announce, if any
 */
export function writeHead(
  { frames, encoder }: BlockTarget,
  { stream, endStream }: { readonly stream: number; readonly endStream: boolean },
  { status, headers }: Response,
  length: string | undefined,
  date: string,
  announced: string | undefined,
): void {
  frames.beginBlock();
  encoder.status(frames, status);
  const dated = writeLines(frames, encoder, headers);
  if (length !== undefined) encoder.field(frames, contentLength, length);
  if (!dated) encoder.field(frames, dateName, date);
  if (announced !== undefined) encoder.field(frames, trailerName, announced);
  frames.endBlock(stream, endStream);
}

/** An interim response (RFC 9110 §15.2). */
export function writeInterim(
  { frames, encoder }: BlockTarget,
  stream: number,
  status: number,
  headers: Headers | undefined,
): void {
  frames.beginBlock();
  encoder.status(frames, status);
  if (headers !== undefined) writeLines(frames, encoder, headers);
  frames.endBlock(stream, false);
}

export function writeTrailers({ frames, encoder }: BlockTarget, stream: number, trailers: Headers): void {
  frames.beginBlock();
  encoder.begin(frames);
  writeLines(frames, encoder, trailers);
  frames.endBlock(stream, true);
}

/** What an answer without content says of the content that it does not have (RFC 9110 §8.6). */
export function declaredLength(response: Response): string | undefined {
  const { status, headers, body } = response;
  if (status === 204) return undefined;
  const declared = headers.get('content-length') ?? (isLocalReply(response) ? body.length?.toString() : undefined);
  return declared !== undefined && /^\d+$/.test(declared) ? declared : undefined;
}

/** Says whether there was a date among them. */
function writeLines(frames: FrameWriter, encoder: HeaderEncoder, { flat }: Headers): boolean {
  let dated = false;
  for (let at = 0; at < flat.length; at += 2) {
    const name = responseField(flat[at]!);
    if (name === undefined) continue;
    if (name === dateName) dated = true;
    encoder.field(frames, name, flat[at + 1]!);
  }
  return dated;
}
