import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { didYouMean } from '../options/did-you-mean.ts';
import { complain, say, type Command, type CommandArguments } from './command.ts';
import { commands } from './commands.ts';

const help = { type: 'boolean', short: 'h', doc: 'Shows this help.' } as const;

/**
 * Runs a command line. Answers the exit code: 0 good, 1 failed while running, 2 bad configuration or usage.
 * @param args without node and the name of the program
 */
export async function main(args: readonly string[]): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined) {
    complain(await overview());
    return 2;
  }
  if (word === '--help' || word === '-h' || word === 'help') {
    const topic = word === 'help' && rest[0] !== undefined ? commands[rest[0]] : undefined;
    say(topic === undefined ? await overview() : usage(await topic()));
    return 0;
  }
  if (word === '--version' || word === '-v') {
    say(packageJson.version);
    return 0;
  }
  if (!Object.hasOwn(commands, word)) {
    const kind = word.startsWith('-') ? 'option' : 'command';
    const known = kind === 'option' ? ['--help', '--version'] : Object.keys(commands);
    complain(`portico: unknown ${kind} ${word}${meant(word, known)}\n\n${await overview()}`);
    return 2;
  }
  const command = await commands[word]!();
  const values = readOptions(command, rest);
  if (typeof values === 'string') {
    complain(`portico ${command.name}: ${values}\n\n${usage(command)}`);
    return 2;
  }
  if (values['help'] === true) {
    say(usage(command));
    return 0;
  }
  try {
    return await command.run(values);
  } catch (error) {
    complain(`portico ${command.name}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

/** The values, or what is wrong with the arguments. */
function readOptions(command: Command, args: readonly string[]): CommandArguments | string {
  const known = { ...command.options, help };
  const options: ParseArgsOptionsConfig = {};
  for (const [name, { type, short, default: preset }] of Object.entries<Command['options'][string]>(known)) {
    options[name] = {
      type,
      ...(short === undefined ? {} : { short }),
      ...(preset === undefined ? {} : { default: preset }),
    };
  }
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as CommandArguments;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      const word = /'(-[^']*)'/.exec(message)?.[1] ?? '';
      return `unknown option ${word}${meant(
        word,
        Object.keys(known).map((name) => `--${name}`),
      )}`;
    }
    if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') {
      const word = /'([^']*)'/.exec(message)?.[1] ?? '';
      const hint = 'config' in known ? `; a configuration is given as -c ${word}` : '';
      return `unexpected argument ${JSON.stringify(word)}${hint}`;
    }
    return message;
  }
}

function meant(word: string, known: readonly string[]): string {
  const best = didYouMean(word, known);
  return best === undefined ? '' : `; did you mean ${best}?`;
}

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((load) => load()));
  return [
    'Usage: portico COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...columns(all.map(({ name, doc }) => [name, doc])),
    '',
    'Options:',
    ...columns([
      ['-h, --help', 'Shows this help; after a command, that of the command.'],
      ['-v, --version', 'Shows the version.'],
    ]),
  ].join('\n');
}

function usage(command: Command): string {
  const rows = Object.entries<Command['options'][string]>({ ...command.options, help }).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.type === 'string' ? ` ${option.value ?? 'TEXT'}` : '';
    const preset = option.default === undefined ? '' : ` Default: ${option.default}.`;
    return [`${short}--${name}${value}`, `${option.doc}${preset}`] as const;
  });
  return [`Usage: portico ${command.name} [OPTIONS]`, '', command.doc, '', 'Options:', ...columns(rows)].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
