/**
 * How a manifest remembers what it was: everything added stands between two comments, and a line that was changed stands between
 * them as it was. So taking the injection out again gives back every byte, also of a file that was edited elsewhere since.
 *
 *     # >>> portico inject
 *     #|terminationGracePeriodSeconds: 30
 *     terminationGracePeriodSeconds: 50
 *     # <<< portico inject
 */
import { Lexer } from 'yaml';
import { InjectError } from './inject-error.ts';

/** Whole lines that come before a line of the text, counted from 0; or other text in the place of characters of it. */
export type Edit =
  | { readonly kind: 'lines'; readonly before: number; readonly lines: readonly string[] }
  | { readonly kind: 'text'; readonly start: number; readonly end: number; readonly text: string };

const begin = '# >>> portico inject';
const end = '# <<< portico inject';
const was = '#|';

/** Lines of the text that are replaced: from, up to and without to; an insertion when both are the same. */
interface Hunk {
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
}

export function applyMarked(text: string, edits: readonly Edit[]): string {
  const lines = text.split('\n');
  const carriageReturn = lines.length > 1 && lines[0]!.endsWith('\r') ? '\r' : '';
  const result: string[] = [];
  let next = 0;
  for (const hunk of toHunks(lines, edits)) {
    result.push(...lines.slice(next, hunk.from));
    const indent = ' '.repeat(indentOf(hunk.lines[0]!));
    const mark = (line: string) => `${indent}${line}${carriageReturn}`;
    result.push(mark(begin));
    for (const old of lines.slice(hunk.from, hunk.to)) result.push(`${indent}${was}${old}`);
    // A replaced line brings its own carriage return along.
    result.push(...hunk.lines.map((line) => (line.endsWith('\r') ? line : `${line}${carriageReturn}`)), mark(end));
    next = hunk.to;
  }
  return [...result, ...lines.slice(next)].join('\n');
}

/** @throws InjectError when one of two marks is missing */
export function removeMarked(text: string): string {
  if (!text.includes(begin) && !text.includes(end)) return text;
  const lines = text.split('\n');
  const comments = commentLines(text);
  const isMark = (index: number, mark: string) => comments.has(index) && lines[index]!.trim() === mark;
  const result: string[] = [];
  let start: number | undefined;
  for (const [index, line] of lines.entries()) {
    if (isMark(index, begin)) {
      if (start !== undefined) throw unpaired(start, lines);
      start = index;
    } else if (isMark(index, end)) {
      if (start === undefined) throw unpaired(index, lines);
      start = undefined;
    } else if (start === undefined) {
      result.push(line);
    } else if (comments.has(index) && line.trimStart().startsWith(was)) {
      result.push(line.slice(line.indexOf(was) + was.length));
    }
  }
  if (start !== undefined) throw unpaired(start, lines);
  return result.join('\n');
}

function unpaired(index: number, lines: readonly string[]): InjectError {
  const line = lines[index]!;
  const other = line.trim() === begin ? end : begin;
  const message = `"${line.trim()}" stands without its "${other}"; put that back where it was, or mend the lines between by hand`;
  return new InjectError([{ line: index + 1, column: indentOf(line) + 1, message }]);
}

/** Lines that hold a comment and nothing else. What looks like one inside of a text, such as a manifest in a ConfigMap, is none. */
function commentLines(text: string): ReadonlySet<number> {
  const found = new Set<number>();
  let line = 0;
  let bare = true;
  for (const token of new Lexer().lex(text)) {
    // The lexer's own signs, which are not part of the text.
    if (/^[\x02\x18\x1f]$/.test(token)) continue;
    if (token.startsWith('#') && bare) found.add(line);
    const breaks = token.split('\n').length - 1;
    line += breaks;
    const tail = breaks === 0 ? token : token.slice(token.lastIndexOf('\n') + 1);
    bare = (bare || breaks > 0) && tail.trim() === '';
  }
  return found;
}

function toHunks(lines: readonly string[], edits: readonly Edit[]): Hunk[] {
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1)! + line.length + 1);
  const lineAt = (offset: number) => starts.findLastIndex((start) => start <= offset);
  const hunks: Hunk[] = [];
  for (const edit of edits) {
    if (edit.kind === 'lines') hunks.push({ from: edit.before, to: edit.before, lines: edit.lines });
  }
  const inline = edits.filter((edit) => edit.kind === 'text').sort((a, b) => a.start - b.start);
  while (inline.length > 0) {
    const from = lineAt(inline[0]!.start);
    let to = from;
    const together = [];
    while (inline.length > 0 && lineAt(inline[0]!.start) <= to) {
      const edit = inline.shift()!;
      to = Math.max(to, lineAt(edit.end));
      together.push(edit);
    }
    let changed = lines.slice(from, to + 1).join('\n');
    for (const { start, end: stop, text } of together.reverse()) {
      changed = changed.slice(0, start - starts[from]!) + text + changed.slice(stop - starts[from]!);
    }
    hunks.push({ from, to: to + 1, lines: changed.split('\n') });
  }
  return hunks.sort((a, b) => a.from - b.from || a.to - b.to);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
