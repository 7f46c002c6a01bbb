import type { CounterHandle, Stats } from '../../stats/index.ts';

/** What is counted for the files of an input. */
export interface FollowStats {
  readonly records: CounterHandle;
  readonly bytes: CounterHandle;
  readonly cutRecords: CounterHandle;
  readonly cutBytes: CounterHandle;
  readonly lostBytes: CounterHandle;
  readonly lostFiles: CounterHandle;
  readonly vanishedFiles: CounterHandle;
  readonly rotations: CounterHandle;
  readonly truncations: CounterHandle;
  readonly holeBytes: CounterHandle;
  /** @param code of the error, such as EACCES */
  failed(code: string): void;
}

export function followStats(stats: Stats, input: string): FollowStats {
  const counter = (what: string, doc: string) =>
    stats.counter(`portico_logs_${what}_total`, doc, ['input']).with({ input });
  const errors = stats.counter(
    'portico_logs_file_errors_total',
    'Files and folders that could not be read, by the error.',
    ['input', 'code'],
  );
  return {
    records: counter('read_records', 'Records read from files.'),
    bytes: counter('read_bytes', 'Bytes read from files.'),
    cutRecords: counter('cut_records', 'Records that were longer than max_line_bytes, and cut.'),
    cutBytes: counter('cut_bytes', 'Bytes that were cut from records that were too long.'),
    lostBytes: counter(
      'lost_bytes',
      'Bytes known to have been in files that went, or were truncated, before they were read.',
    ),
    lostFiles: counter('lost_files', 'Files that went, or were truncated, before they were read to their known end.'),
    vanishedFiles: counter(
      'vanished_files',
      'Files that were read to their known end, and were gone at the next start: what was written to them meanwhile, if anything, is lost.',
    ),
    rotations: counter(
      'rotations',
      'Files that are no longer where they were, and were read on under another name or none.',
    ),
    truncations: counter('truncations', 'Files that began anew in place.'),
    holeBytes: counter(
      'hole_bytes',
      'NUL bytes left out at the beginning of files whose writer went on at its old offset.',
    ),
    failed: (code) => errors.with({ input, code }).add(),
  };
}
