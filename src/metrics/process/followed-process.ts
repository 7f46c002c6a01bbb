import type { ProcessSelector } from './config.ts';
import { findProcess } from './find-process.ts';
import type { ProcFolder } from './proc-folder.ts';
import { parseProcStat, type ProcStat } from './proc-text.ts';

/** A process that is found again after it was restarted, and not searched for as long as it lives. */
export class FollowedProcess {
  readonly #proc: ProcFolder;
  readonly #selector: ProcessSelector;
  #known: { readonly pid: number; readonly startTicks: number } | undefined;

  constructor(proc: ProcFolder, selector: ProcessSelector) {
    this.#proc = proc;
    this.#selector = selector;
  }

  /** The process as it is now. */
  look(): { readonly pid: number; readonly stat: ProcStat } | undefined {
    const known = this.#known;
    // A pid file is cheap to read, and says at once when another process has taken over.
    if (known !== undefined && this.#selector.pid_file === undefined) {
      const stat = this.#stat(known.pid);
      if (stat?.startTicks === known.startTicks) return { pid: known.pid, stat };
    }
    const pid = findProcess(this.#proc, this.#selector);
    const stat = pid === undefined ? undefined : this.#stat(pid);
    this.#known = stat === undefined ? undefined : { pid: pid!, startTicks: stat.startTicks };
    return stat === undefined ? undefined : { pid: pid!, stat };
  }

  #stat(pid: number): ProcStat | undefined {
    const stat = parseProcStat(this.#proc.text(pid, 'stat') ?? '');
    return stat?.state === 'Z' ? undefined : stat;
  }
}
