import { readFileSync } from 'node:fs';
import type { ProcessSelector } from './config.ts';
import type { ProcFolder } from './proc-folder.ts';
import { listeningInodes, parseProcStat } from './proc-text.ts';

/** @returns the number of the process, or undefined when there is none at the moment */
export function findProcess(proc: ProcFolder, selector: ProcessSelector): number | undefined {
  if (selector.pid_file !== undefined) return pidIn(selector.pid_file);
  if (selector.command_line !== undefined) return oldest(proc, withCommandLine(proc, selector.command_line));
  return oldest(proc, listeningOn(proc, selector.listen_port!));
}

function pidIn(file: string): number | undefined {
  try {
    const digits = /^\s*(\d{1,10})\s*$/.exec(readFileSync(file, 'utf8'))?.[1];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}

function withCommandLine(proc: ProcFolder, pattern: RegExp): number[] {
  return proc.pids().filter((pid) => {
    if (pid === process.pid) return false;
    const text = proc.text(pid, 'cmdline');
    return (
      text !== undefined && text !== '' && pattern.test(text.replace(/\0+$/, '').replaceAll('\0', ' ').slice(0, 4096))
    );
  });
}

function listeningOn(proc: ProcFolder, port: number): number[] {
  const sockets = new Set(
    ['tcp', 'tcp6']
      .flatMap((table) => listeningInodes(proc.text('net', table) ?? '', port))
      .map((inode) => `socket:[${inode}]`),
  );
  if (sockets.size === 0) return [];
  return proc.pids().filter((pid) => proc.names(pid, 'fd').some((fd) => sockets.has(proc.link(pid, 'fd', fd) ?? '')));
}

/** The master of an app that forks workers, which inherit its command line and its sockets. */
function oldest(proc: ProcFolder, pids: readonly number[]): number | undefined {
  let found: { pid: number; startTicks: number } | undefined;
  for (const pid of pids) {
    const stat = parseProcStat(proc.text(pid, 'stat') ?? '');
    if (stat === undefined || stat.state === 'Z') continue;
    const { startTicks } = stat;
    if (found === undefined || startTicks < found.startTicks || (startTicks === found.startTicks && pid < found.pid)) {
      found = { pid, startTicks };
    }
  }
  return found?.pid;
}
