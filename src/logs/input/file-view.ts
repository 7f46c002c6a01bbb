import type { FollowedFiles } from './followed-files.ts';

/** A file as the admin shows it. */
export interface FileView {
  readonly path: string;
  readonly input: string;
  /** live, rotated, deleted, or read: only acknowledgements are missing. */
  readonly state: string;
  /** Bytes: its size, how far it was read, and up to where all is acknowledged. */
  readonly size: number;
  readonly offset: number;
  readonly acknowledged: number;
  readonly lag: number;
  readonly records_under_way: number;
  readonly open: boolean;
}

export function showFiles(files: FollowedFiles): FileView[] {
  const views: FileView[] = [];
  for (const { path, input, state, size, offset, ledger, lag, isOpen } of files.all) {
    const { acknowledged, underWay } = ledger;
    views.push({
      path,
      input: input.name,
      state,
      size,
      offset,
      acknowledged,
      lag,
      records_under_way: underWay,
      open: isOpen,
    });
  }
  return views;
}
