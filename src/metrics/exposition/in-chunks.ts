/** Characters of one chunk of a page, about. */
const chunkSize = 32 * 1024;

/** Lines as bytes in chunks, made as they are taken, so that no page is ever in memory as a whole. */
export function* inChunks(lines: Iterable<string>): Generator<Buffer> {
  let text = '';
  for (const line of lines) {
    text += line;
    if (text.length < chunkSize) continue;
    yield Buffer.from(text, 'utf8');
    text = '';
  }
  if (text !== '') yield Buffer.from(text, 'utf8');
}
