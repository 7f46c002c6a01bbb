import { isDeepStrictEqual } from 'node:util';
import { escape } from '../../src/conformance/case-file.ts';
import {
  HeadReader,
  isWireFault,
  parseResponseHead,
  responseFraming,
  type FieldFacts,
  type ResponseHead,
  type WireFault,
} from '../../src/http1/index.ts';
import { normalizePath } from '../../src/listener/normalize-path.ts';
import {
  readAnswerByGrammar,
  readByGrammar,
  readChunksByGrammar,
  withoutEmptyLines,
  type Reading,
} from '../conformance/properties/grammar.ts';
import { decodeChunks, parseHead } from '../conformance/properties/parse.ts';
import type { Random } from '../support/random.ts';
import { Mutator } from './mutate.ts';
import { answerSeeds, requestSeeds } from './seeds.ts';

export interface ParserTally {
  messages: number;
  /** Heads that were good. */
  accepted: number;
  /** Chunked bodies that were good to their end. */
  bodies: number;
}

/** What our limits refuse is no business of the grammar. */
const limits = new Set([
  'chunk_size_line_too_long',
  'chunk_extensions_too_large',
  'trailers_too_large',
  'too_many_headers',
  'header_section_too_large',
  'uri_too_long',
  'too_many_empty_lines',
]);

/**
 * Gives mutated messages to the parsers: nothing throws, the pieces in which bytes arrive do not matter, and what is
 * accepted is what the grammar accepts.
 * @throws Error with the number of the message and its bytes
 */
export function fuzzParsers(
  random: Random,
  count: number,
  progress: (tally: ParserTally) => void = () => {},
): ParserTally {
  const tally: ParserTally = { messages: 0, accepted: 0, bodies: 0 };
  const requests = new Mutator(random, requestSeeds());
  const answers = new Mutator(random, answerSeeds());
  while (tally.messages < count) {
    const number = tally.messages++;
    const isAnswer = number % 4 === 3;
    const bytes = (isAnswer ? answers : requests).next();
    const pieces = random.split(bytes);
    try {
      const fault = isAnswer ? tryAnswer(bytes, pieces, tally) : tryRequest(bytes, pieces, tally);
      if (fault !== undefined) throw new Error(fault);
    } catch (error) {
      throw new Error(`message ${number}: ${(error as Error).message}\n${pieces.map(escape).join(' | ')}`, {
        cause: error,
      });
    }
    if (tally.messages % 100_000 === 0) progress(tally);
  }
  return tally;
}

/** What is wrong, in words. */
function tryRequest(bytes: Buffer, pieces: readonly Buffer[], tally: ParserTally): string | undefined {
  const parsed = parseHead([bytes]);
  const split = parseHead(pieces);
  if (kindOf(parsed) !== kindOf(split)) return `${kindOf(parsed)} in one piece, ${kindOf(split)} in several`;
  const reading = readByGrammar(withoutEmptyLines(bytes.toString('latin1')));
  if (parsed === undefined || isWireFault(parsed)) return notAccepted(reading, parsed);
  if (!isDeepStrictEqual(parsed, split)) return 'other fields in several pieces';
  tally.accepted++;
  const { fields, target } = parsed.head;
  const disagreement = compare(fields, reading) ?? pathFault(target);
  if (disagreement !== undefined || !fields.chunked) return disagreement;
  return tryChunks(parsed.rest, tally);
}

function tryAnswer(bytes: Buffer, pieces: readonly Buffer[], tally: ParserTally): string | undefined {
  const parsed = parseAnswer([bytes]);
  const split = parseAnswer(pieces);
  if (kindOf(parsed) !== kindOf(split)) return `${kindOf(parsed)} in one piece, ${kindOf(split)} in several`;
  const reading = readAnswerByGrammar(withoutEmptyLines(bytes.toString('latin1')));
  if (parsed === undefined || isWireFault(parsed)) return notAccepted(reading, parsed);
  if (!isDeepStrictEqual(parsed, split)) return 'other fields in several pieces';
  tally.accepted++;
  const { head, rest } = parsed;
  if (head.status < 100 || head.status > 599) return `status ${head.status}`;
  if (head.fields.chunked && responseFraming(head, 'GET').kind === 'length') return 'two framings';
  const disagreement = compare(head.fields, reading);
  if (disagreement !== undefined || !head.fields.chunked) return disagreement;
  return tryChunks(rest, tally);
}

function parseAnswer(pieces: readonly Buffer[]): { head: ResponseHead; rest: Buffer } | WireFault | undefined {
  const reader = new HeadReader(60 * 1024);
  for (const [index, piece] of pieces.entries()) {
    const read = reader.read(piece);
    if (read === undefined) continue;
    if (isWireFault(read)) return read;
    const head = parseResponseHead(read.text, 1000);
    if (isWireFault(head)) return head;
    return { head, rest: Buffer.concat([read.rest, ...pieces.slice(index + 1)]) };
  }
  return undefined;
}

function tryChunks(bytes: Buffer, tally: ParserTally): string | undefined {
  const decoded = decodeChunks([bytes]);
  const single = decodeChunks([...bytes].map((byte) => Buffer.from([byte])));
  if ((decoded.fault === undefined) !== (single.fault === undefined))
    return `chunks: ${decoded.fault?.details} in one piece, ${single.fault?.details} in single bytes`;
  if (decoded.fault === undefined && !isDeepStrictEqual(decoded, single))
    return 'chunks: other content in single bytes';
  if (decoded.fault !== undefined && limits.has(decoded.fault.details)) return undefined;
  const wanted = readChunksByGrammar(bytes.toString('latin1'));
  if (wanted === undefined)
    return decoded.end === undefined ? undefined : 'chunks: ended where the grammar sees no end';
  if (decoded.end === undefined)
    return wanted.trailers > 0 ? trailersFault(decoded.fault) : `chunks: ${decoded.fault?.details ?? 'unfinished'}`;
  tally.bodies++;
  return decoded.body === wanted.body && decoded.end.rest === wanted.rest
    ? undefined
    : 'chunks: another content than that of the grammar';
}

/** Trailers are read as fields, and what is wrong between fields is refused there too: two lengths, a bad Connection. */
function trailersFault(fault: WireFault | undefined): string | undefined {
  const between = ['duplicate_', 'content_length_', 'transfer_encoding_', 'connection_option_'];
  return fault !== undefined && between.some((prefix) => fault.details.startsWith(prefix))
    ? undefined
    : `chunks: ${fault?.details ?? 'unfinished'}`;
}

function kindOf(parsed: object | undefined): string {
  if (parsed === undefined) return 'unfinished';
  return isWireFault(parsed) ? 'refused' : 'accepted';
}

function notAccepted(reading: Reading, fault: WireFault | undefined): string | undefined {
  if (reading.kind === 'accepted')
    return fault !== undefined && limits.has(fault.details)
      ? undefined
      : `${fault?.details ?? 'unfinished'}, though it is good`;
  return reading.kind === 'refused' && fault === undefined ? 'unfinished, though it is bad' : undefined;
}

function compare(fields: FieldFacts, reading: Reading): string | undefined {
  if (reading.kind !== 'accepted') return `accepted, though it is ${reading.kind}`;
  const framing = fields.chunked ? 'chunked' : (fields.contentLength ?? 'none');
  if (framing !== reading.framing) return `framed by ${framing} instead of ${reading.framing}`;
  for (let at = 0; at < fields.flat.length; at += 2) {
    const [name, value] = [fields.flat[at]!.toLowerCase(), fields.flat[at + 1]!];
    if (!reading.fields.some((field) => field[0] === name && field[1] === value))
      return `made the field ${name}: ${value}`;
  }
  return undefined;
}

function pathFault(target: string): string | undefined {
  const once = normalizePath(target, 'reject');
  if ('refused' in once) return undefined;
  const twice = normalizePath(once.path, 'reject');
  return 'path' in twice && twice.path === once.path && once.path.startsWith('/')
    ? undefined
    : `path ${once.path} is not stable`;
}
