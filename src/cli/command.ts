/** What every file of this folder that is a command exports. */
export interface Command {
  readonly name: string;
  /** One sentence, for `portico --help`. */
  readonly doc: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Answers the exit code: 0 good, 1 failed while running, 2 bad configuration or usage. */
  run(args: CommandArguments): Promise<number>;
}

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly doc: string;
  /** What stands for the value in the help: `FILE`. */
  readonly value?: string;
  readonly default?: string;
}

/** Values by the long name of their option. */
export type CommandArguments = Readonly<Record<string, string | boolean | undefined>>;

/** Where a command's results go; complaints go to standard error. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** `-r logs`, for commands that are about a configuration of any role. */
export const roleOption = {
  type: 'string',
  short: 'r',
  value: 'ROLE',
  doc: 'Whose configuration: logs or metrics. Default: the proxy’s.',
} as const;

export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
