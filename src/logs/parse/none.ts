import type { Parse } from './parsed.ts';

/** The text is the message, and that is all. */
export function noParser(): Parse {
  return (text) => ({ fields: { message: text }, instant: undefined, fault: undefined });
}
