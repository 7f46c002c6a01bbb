import type { WireCase } from './case-file.ts';
import { judge, type Judgement } from './judge.ts';
import { observe, type Observed } from './observe.ts';
import { exchangeOn } from './raw-client.ts';
import type { Recorder } from './recorder.ts';
import { connectTo, type Target } from './target.ts';

export interface CaseResult extends Judgement {
  readonly wireCase: WireCase;
  readonly observed: Observed;
}

export interface Examination {
  readonly target: Target;
  /** The app behind the target, and behind nobody else. */
  readonly recorder: Recorder;
  /** Milliseconds of silence after which nothing more is expected. */
  readonly quiet: number;
}

/** Milliseconds a clean request may take. */
const patience = 3000;

/**
 * Sends every case to the target, one after the other, each on a connection of its own and followed by a clean request
 * of another client.
 * @throws Error when the target cannot be reached any more
 */
export async function* runCases(cases: readonly WireCase[], examination: Examination): AsyncGenerator<CaseResult> {
  const { target, recorder, quiet } = examination;
  answerByTarget(recorder);
  for (const wireCase of cases) {
    const observed = await observe(connectTo(target), recorder, [wireCase.bytes], { quiet });
    if (observed.seen.unreachable !== undefined)
      throw new Error(`${wireCase.id}: no connection to the target: ${observed.seen.unreachable.message}`);
    yield { wireCase, observed, ...withNext(judge(wireCase, observed), await askAs(`/next-${wireCase.id}`, target)) };
  }
}

/** Why the target cannot be examined; undefined when a clean request reaches the recorder and its answer the client. */
export async function whyNotForwarding({ target, recorder }: Examination): Promise<string | undefined> {
  answerByTarget(recorder);
  recorder.reset();
  const answer = await askAs('/is-this-forwarded', target);
  if (answer.problem !== undefined) return answer.problem;
  if (recorder.unreadable.length > 0) return `what it forwards cannot be read: ${recorder.unreadable[0]}`;
  if (recorder.requests.length === 0) return `it answers ${answer.got} and forwards nothing to the recorder`;
  return answer.got === answer.wanted ? undefined : `it answers ${answer.got} instead of ${answer.wanted}`;
}

interface Answer {
  readonly problem: string | undefined;
  readonly wanted: string;
  readonly got: string;
}

/** A clean request, whose answer says whose it is. */
async function askAs(path: string, target: Target): Promise<Answer> {
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n`);
  const seen = await exchangeOn(connectTo(target), [bytes], { quiet: patience });
  const problem = seen.unreachable === undefined ? undefined : `no connection to it: ${seen.unreachable.message}`;
  const got = seen.messages.map(({ status, body }) => (status === 200 ? `200 ${body}` : String(status))).join(', ');
  return { problem, wanted: `200 ${answerTo('GET', path)}`, got: got === '' ? 'nothing' : got };
}

/** Whatever a case did, the next client gets its own answer. */
function withNext(judgement: Judgement, { problem, wanted, got }: Answer): Judgement {
  if (problem === undefined && got === wanted) return judgement;
  const foreign = got.startsWith('200');
  return {
    verdict: foreign || judgement.verdict === 'dangerous' ? 'dangerous' : 'differs',
    reasons: [
      ...judgement.reasons,
      foreign ? `the next client got another's answer: ${got.slice(0, 80)}` : `the next client got ${problem ?? got}`,
    ],
  };
}

function answerByTarget(recorder: Recorder): void {
  recorder.respond = ({ method, target }, socket) => {
    const content = answerTo(method, target);
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${method === 'HEAD' ? '' : content}`,
      'latin1',
    );
  };
}

function answerTo(method: string, target: string): string {
  return `${method} ${target.slice(0, 100)}`;
}
