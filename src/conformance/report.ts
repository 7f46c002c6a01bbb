import { wantedOutcomes, type Verdict } from './judge.ts';
import type { CaseResult } from './run-cases.ts';

const words: Readonly<Record<Verdict, string>> = { ok: 'ok', differs: 'DIFFERS', dangerous: 'DANGEROUS' };
const columns = [
  ['id', 5],
  ['title', 40],
  ['wanted', 26],
  ['seen by client', 20],
  ['seen by app', 30],
] as const;

/** One line a case, so that results can be shown as they come. */
export const tableHead = row([...columns.map(([name]) => name), 'verdict']);

export function tableRow({ wireCase, observed, verdict, reasons }: CaseResult): string {
  const wanted = wantedOutcomes(wireCase).join(' or ');
  const judged = reasons.length === 0 ? words[verdict] : `${words[verdict]}: ${reasons.join('; ')}`;
  return row([wireCase.id, wireCase.title, wanted, observed.client, observed.app, judged]);
}

/** Cases of one group by their verdict. */
export interface GroupSummary extends Record<Verdict, number> {
  readonly group: string;
  readonly cases: number;
}

export function summarize(results: readonly CaseResult[]): GroupSummary[] {
  const groups = Map.groupBy(results, ({ wireCase }) => wireCase.group);
  return [...groups].map(([group, members]) => {
    const count = (verdict: Verdict) => members.filter((member) => member.verdict === verdict).length;
    return { group, cases: members.length, ok: count('ok'), differs: count('differs'), dangerous: count('dangerous') };
  });
}

export function summaryLines(results: readonly CaseResult[]): string[] {
  const groups = summarize(results);
  const sum = (key: Verdict | 'cases') => groups.reduce((total, group) => total + group[key], 0);
  const total = {
    group: 'all',
    cases: sum('cases'),
    ok: sum('ok'),
    differs: sum('differs'),
    dangerous: sum('dangerous'),
  };
  const line = (name: string, ...numbers: readonly (string | number)[]) =>
    fit(name, 60) + numbers.map((one) => String(one).padStart(10)).join('');
  return [
    line('group', 'cases', 'ok', 'DIFFERS', 'DANGEROUS'),
    ...[...groups, total].map(({ group, cases, ok, differs, dangerous }) => line(group, cases, ok, differs, dangerous)),
  ];
}

function row(cells: readonly string[]): string {
  return cells.map((cell, at) => (at < columns.length ? fit(cell, columns[at]![1]) : cell)).join('  ');
}

function fit(line: string, width: number): string {
  // Titles quote bytes that terminals obey.
  const text = line.replace(/[\x00-\x1f\x7f-\x9f]/g, '·');
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}
