import type { WireCase } from '../conformance/case-file.ts';
import type { CaseResult } from '../conformance/run-cases.ts';
import type { Target } from '../conformance/target.ts';
import { complain, say, type Command, type CommandArguments } from './command.ts';

export const conformance: Command = {
  name: 'conformance',
  doc: 'Sends ambiguous and malformed HTTP/1.1 requests through a proxy, any proxy, and tells what it lets through.',
  options: {
    target: {
      type: 'string',
      short: 't',
      value: 'URL',
      doc: 'The proxy: http://127.0.0.1:8000. Of an https target the certificate is not checked.',
    },
    listen: {
      type: 'string',
      short: 'l',
      value: 'ADDRESS',
      default: '127.0.0.1:8080',
      doc: 'Where the app is that the proxy forwards to, for every host and path: it records what comes.',
    },
    case: { type: 'string', value: 'PREFIX', default: '', doc: 'Only cases whose id begins so: A, B44, C01.' },
    quiet: {
      type: 'string',
      value: 'MS',
      default: '200',
      doc: 'Milliseconds of silence after which nothing more is expected.',
    },
    'only-faults': { type: 'boolean', doc: 'Leaves out what is ok.' },
    'allow-remote': { type: 'boolean', doc: 'The target is not on this machine, and I may attack it.' },
  },
  async run(args) {
    const plan = await readPlan(args);
    if (typeof plan !== 'string') return examine(plan);
    complain(`portico conformance: ${plan}`);
    return 2;
  },
};

interface Plan {
  readonly target: Target;
  readonly listen: { readonly host: string; readonly port: number };
  readonly cases: readonly WireCase[];
  readonly quiet: number;
  readonly onlyFaults: boolean;
}

/** What to do, or what is wrong with the arguments. */
async function readPlan(args: CommandArguments): Promise<Plan | string> {
  const [{ parseTarget, isLoopback }, { parseAddress }, { readCases }] = await Promise.all([
    import('../conformance/target.ts'),
    import('../options/index.ts'),
    import('../conformance/case-file.ts'),
  ]);
  const {
    target: url,
    listen: at,
    quiet: milliseconds,
    case: prefix,
  } = args as Readonly<Record<string, string | undefined>>;
  if (url === undefined) return 'which proxy? Write --target http://127.0.0.1:PORT';
  const target = parseTarget(url);
  if (target === undefined) return `not a target: ${url}; write http://127.0.0.1:PORT`;
  if (!isLoopback(target) && args['allow-remote'] !== true) {
    return `${target.host} is not on this machine. What is sent to it is an attack: if you may do that, add --allow-remote`;
  }
  const listen = parseAddress(at!);
  if (listen?.kind !== 'tcp') return `not an address to listen on: ${at}; write 127.0.0.1:8080`;
  const quiet = Number(milliseconds);
  if (!Number.isInteger(quiet) || quiet < 1 || quiet > 60_000) return `not a number of milliseconds: ${milliseconds}`;
  const cases = readCases('h1-').filter(({ id }) => id.startsWith(prefix!));
  if (cases.length === 0) return `no case begins with ${prefix}`;
  return { target, listen, cases, quiet, onlyFaults: args['only-faults'] === true };
}

/** Answers 1 when something dangerous was seen. */
async function examine({ target, listen, cases, quiet, onlyFaults }: Plan): Promise<number> {
  const [{ Recorder }, { runCases, whyNotForwarding }, { summaryLines, tableHead, tableRow }] = await Promise.all([
    import('../conformance/recorder.ts'),
    import('../conformance/run-cases.ts'),
    import('../conformance/report.ts'),
  ]);
  const recorder = await Recorder.start(listen);
  try {
    const examination = { target, recorder, quiet };
    const why = await whyNotForwarding(examination);
    if (why !== undefined) throw new Error(`the target does not forward to ${listen.host}:${recorder.port}: ${why}`);
    const results: CaseResult[] = [];
    say(tableHead);
    for await (const result of runCases(cases, examination)) {
      results.push(result);
      if (!onlyFaults || result.verdict !== 'ok') say(tableRow(result));
    }
    say('');
    summaryLines(results).forEach(say);
    return results.some(({ verdict }) => verdict === 'dangerous') ? 1 : 0;
  } finally {
    await recorder.stop();
  }
}
