/**
 * Content up to this size is put behind its head so that both leave in one write: as text of one code unit a byte, which is
 * cheaper than to make a buffer for both.
 */
export const oneWrite = 8 * 1024;

export function asLatin1(content: Uint8Array): string {
  const bytes = Buffer.isBuffer(content)
    ? content
    : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return bytes.toString('latin1');
}
