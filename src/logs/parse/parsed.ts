import type { Instant } from '../time/instant.ts';

/** What a parser made of a text. */
export interface Parsed {
  /** Owned by whoever gets it, plain JSON values. What the fields cannot say of the text is in `message`. */
  readonly fields: Record<string, unknown>;
  /** When the text says that it happened. The field that said so is not among the fields. */
  readonly instant: Instant | undefined;
  /** Why the text, or its message, was not understood. */
  readonly fault: ParseFault | undefined;
}

export interface ParseFault {
  readonly parser: ParserType;
  /** A few words. Never a part of the text. */
  readonly reason: string;
}

export interface Reading {
  /** Milliseconds since 1970. */
  readonly readAt: number;
  /** Bytes that are not UTF-8 stand as `\xNN` in the text. */
  readonly escaped: boolean;
}

/** Never throws, and loses nothing: what it does not understand comes back as `message`. */
export type Parse = (text: string, reading: Reading) => Parsed;

export const parserTypes = ['json', 'logfmt', 'nginx', 'apache', 'cri', 'regex', 'auto', 'none'] as const;
export type ParserType = (typeof parserTypes)[number];

export function unparsed(text: string, parser: ParserType, reason: string): Parsed {
  return { fields: { message: text }, instant: undefined, fault: { parser, reason } };
}

/** Most fields of a record, at all depths together, and how deep they may lie. Stores refuse more, and not the record alone. */
export const mostFields = 1000;
export const deepest = 32;
