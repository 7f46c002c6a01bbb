import { randomUUID } from 'node:crypto';
import { METHODS } from 'node:http';
import type { Socket } from 'node:net';
import { escape } from '../../src/conformance/case-file.ts';
import { exchangeBytes, type Seen } from '../../src/conformance/raw-client.ts';
import { Recorder, type RecordedRequest } from '../../src/conformance/recorder.ts';
import { countRequests } from '../conformance/properties/grammar.ts';
import type { Random } from '../support/random.ts';
import { answerPlainly, Tapped } from '../support/tapped.ts';
import { calm, judgeApp, judgeLog, markName } from './judge.ts';
import { Mutator } from './mutate.ts';
import { PorticoProcess } from './portico-process.ts';
import { answerSeeds, requestSeeds } from './seeds.ts';

export interface SocketTally {
  messages: number;
  /** Requests that reached the app whole. */
  whole: number;
  canaries: number;
}

/** At once. */
const clients = 24;
/** Milliseconds of silence after which a client leaves. */
const quiet = 15;

/**
 * Sends mutated messages at a running Portico, whose app gives mutated answers to some of them.
 * @throws Error when the process dies or complains, something hangs, the app is given what is unreadable, not written by
 *   Portico, or more than was sent, or a clean client gets anything but its own answer
 */
export async function fuzzSockets(
  random: Random,
  count: number,
  progress: (tally: SocketTally) => void = () => {},
): Promise<SocketTally> {
  const mark = randomUUID();
  const app = await Recorder.start();
  const portico = await PorticoProcess.start(`
listeners: [{ name: http, address: 127.0.0.1:0, via: '' }]
http_filters: [{ name: headers, config: { request: { set: { ${markName}: ${mark} } } } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`);
  try {
    const tapped = new Tapped(app);
    const answers = new Mutator(random, answerSeeds());
    app.respond = (request, socket) => answer(request, socket, random, answers);
    const requests = new Mutator(random, requestSeeds());
    const tally: SocketTally = { messages: 0, whole: 0, canaries: 0 };
    let most = 0;
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (tally.messages < count) {
          const number = ++tally.messages;
          const bytes = requests.next();
          const requestsIn = countRequests(bytes.toString('latin1'));
          most += requestsIn;
          const seen = await exchangeBytes(portico.port, random.split(bytes, 3), { quiet });
          const fault = clientFault(bytes, requestsIn, seen);
          if (fault !== undefined)
            throw new Error(`message ${number}: ${fault}: ${escape(bytes)} was answered ${escape(seen.raw)}`);
          if (number % 10 === 0) await canary(portico, ++tally.canaries);
          if (!portico.alive) throw new Error(`portico died at message ${number}: ${escape(bytes)}\n${portico.output}`);
          if (number % 1000 === 0) progress(tally);
        }
      }),
    );
    await calm(portico);
    tally.whole = app.requests.filter(({ complete }) => complete).length;
    judgeApp(app, mark);
    if (tally.whole > most + tally.canaries)
      throw new Error(`the app saw ${tally.whole} requests, of ${most + tally.canaries} sent`);
    tapped.note(app.requests);
    const disagreements = await tapped.disagreements();
    if (disagreements.length > 0) throw new Error(`two parsers differ: ${disagreements[0]}`);
    judgeLog(portico.output);
    return tally;
  } finally {
    await portico.stop();
    await app.stop();
  }
}

/** The app, when it is broken: half of the time. */
function answer(request: RecordedRequest, socket: Socket, random: Random, answers: Mutator): void {
  if (request.target.startsWith('/canary/')) return answerPlainly(request, socket, request.target);
  if (random.below(2) === 0 || !METHODS.includes(request.method)) return answerPlainly(request, socket);
  const bytes = answers.next();
  const fate = random.below(4);
  if (fate === 0) socket.end(bytes);
  else socket.write(bytes);
  if (fate === 1) setTimeout(() => socket.resetAndDestroy(), 5);
}

/** Whatever the others do, an honest client gets the answer to its own request. */
async function canary(portico: PorticoProcess, number: number): Promise<void> {
  const path = `/canary/${number}`;
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n`);
  const { messages } = await exchangeBytes(portico.port, [bytes], { quiet: 5000 });
  const got = messages.map(({ status, body }) => `${status} ${body}`).join(', ');
  if (got !== `200 ${path}`) throw new Error(`canary ${number} got ${JSON.stringify(got)}`);
}

/** A client gets answers that can be read, and at most one to each request and one to what is none. */
function clientFault(bytes: Buffer, requests: number, { messages }: Seen): string | undefined {
  const text = bytes.toString('latin1');
  // Answers in HTTP/2, or without the content that they announce, are not for this reader.
  if (text.startsWith('PRI ') || text.includes('HEAD')) return undefined;
  if (messages.some(({ status, body }) => status === 0 && !'HTTP/1.1 '.startsWith(body.slice(0, 9)))) return 'garbage';
  if (messages.some(({ head }) => head.includes('\0'))) return 'NUL';
  return messages.filter(({ status }) => status >= 200).length > requests + 1 ? 'too many answers' : undefined;
}
