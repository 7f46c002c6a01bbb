import type { LoadResult } from './load.ts';

/** Medians over the rounds; the spread is (max − min) / median of the CPU figure. */
export interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly cpu: number;
  readonly spread: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly rss: number;
}

export function summarise(name: string, results: readonly LoadResult[], cpu: readonly number[], rss: number): Row {
  const middle = median(cpu);
  return {
    name,
    perSecond: median(results.map((result) => result.requests / result.seconds)),
    cpu: middle,
    spread: (Math.max(...cpu) - Math.min(...cpu)) / middle,
    p50: median(results.map((result) => result.p50)),
    p99: median(results.map((result) => result.p99)),
    p999: median(results.map((result) => result.p999)),
    rss,
  };
}

/** Ratios are against nginx where it ran, else against http-proxy-3. */
export function renderTable(rows: readonly Row[]): string {
  const base = rows.find((row) => row.name === 'nginx') ?? rows.find((row) => row.name === 'http-proxy-3') ?? rows[0]!;
  const head = [
    '',
    'requests/s',
    'CPU µs/request',
    'spread',
    `CPU vs ${base.name}`,
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'RSS MiB',
  ];
  const body = rows.map((row) => [
    row.name,
    row.perSecond.toFixed(0),
    row.cpu.toFixed(1),
    `${(row.spread * 100).toFixed(0)} %`,
    `${(row.cpu / base.cpu).toFixed(2)}×`,
    show(row.p50),
    show(row.p99),
    show(row.p999),
    row.rss.toFixed(0),
  ]);
  return renderColumns(head, body);
}

/** A Markdown table that is also readable as it is: names to the left, figures to the right. */
export function renderColumns(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function show(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(1);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
