/** What the kernel says about a process, in numbers. Sources: proc(5). */

/** `/proc/PID/stat`. The command may contain spaces and parentheses, so fields are counted from the last parenthesis. */
export interface ProcStat {
  /** Ticks of 1/100 s. */
  readonly userTicks: number;
  readonly systemTicks: number;
  /** Ticks after the machine has started; with the number of the process it names the process for ever. */
  readonly startTicks: number;
  readonly state: string;
}

/** USER_HZ: 100 on every architecture that Node runs on, whatever the kernel's own clock is. */
export const ticksPerSecond = 100;

export function parseProcStat(text: string): ProcStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [userTicks, systemTicks, startTicks] = [11, 12, 19].map((at) => Number(fields[at]));
  if (!Number.isFinite(userTicks! + systemTicks! + startTicks!)) return undefined;
  return { userTicks: userTicks!, systemTicks: systemTicks!, startTicks: startTicks!, state: fields[0]! };
}

/** Lines `Name: 123 kB` or `name: 123`, as in `status`, `io` and `smaps_rollup`; kB come out in bytes. */
export function parseNamedNumbers(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const [, name, digits, kilobytes] of text.matchAll(/^(\w+):[\t ]+(\d+)( kB)?$/gm)) {
    numbers.set(name!, Number(digits) * (kilobytes === undefined ? 1 : 1024));
  }
  return numbers;
}

/** Inodes of the sockets that listen on a port: `/proc/net/tcp`, `/proc/net/tcp6`. */
export function listeningInodes(table: string, port: number): string[] {
  const inodes: string[] = [];
  for (const line of table.split('\n')) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === '0A' && inode !== undefined && parseInt(local!.slice(local!.lastIndexOf(':') + 1), 16) === port) {
      inodes.push(inode);
    }
  }
  return inodes;
}
