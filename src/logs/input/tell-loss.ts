import type { ProcessLog } from '../../process-log.ts';
import type { Position } from '../checkpoint.ts';
import type { FollowStats } from './follow-stats.ts';

/**
 * What there was of a file cannot be read any more. Of one that had been read as far as it was known, nobody knows what
 * was written to it later: that is counted by itself.
 */
export function tellLoss(
  past: Position,
  message: string,
  { stats, log }: { stats: FollowStats; log: ProcessLog },
): void {
  if (past.done === true) return;
  const bytes = past.size - past.offset;
  if (bytes > 0) {
    stats.lostBytes.add(bytes);
    stats.lostFiles.add();
    log.error(message, { path: past.path, lost_bytes: bytes });
  } else {
    stats.vanishedFiles.add();
    log.warn(`${message}; what was written to it after it was last seen, if anything, is lost`, {
      path: past.path,
      last_seen: new Date(past.seen).toISOString(),
    });
  }
}
