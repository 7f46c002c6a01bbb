/**
 * Runs in a network namespace and does there what the test asks for, over the channel to its parent: ask a URL, send a steady stream of
 * requests, hold a log store. A process cannot change its own namespace, so whoever is to be elsewhere is another one.
 */
import { Agent as HttpAgent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface LoadReport {
  /** Path of every request that was answered with 200. */
  readonly answered: readonly string[];
  /** What went wrong with the others. */
  readonly failures: readonly string[];
  /** Answers by the protocol and address that they came from. */
  readonly byOrigin: Readonly<Record<string, number>>;
}

export interface StoredRecord {
  readonly id: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface AgentCommands {
  ask(url: string): Promise<Answer>;
  /** Sends requests one after the other in each of `lanes`, to any of the addresses, by HTTP and HTTPS in turn. */
  startLoad(options: { addresses: readonly string[]; lanes: number; authority: string }): void;
  /** What a load balancer does when endpoints come and go. */
  setAddresses(addresses: readonly string[]): void;
  /** How many requests were answered so far, by protocol and address: `https 10.77.0.3`. */
  answeredSoFar(): Readonly<Record<string, number>>;
  stopLoad(): Promise<LoadReport>;
  /** An Elasticsearch that says yes to every `_bulk`. Answers its port. */
  startStore(port: number): Promise<number>;
  stored(): readonly StoredRecord[];
}

const timeout = 20_000;
let addresses: readonly string[] = [];
let lanes: Promise<void>[] = [];
let going = false;
const answered: string[] = [];
const failures: string[] = [];
const byOrigin: Record<string, number> = {};
const records: StoredRecord[] = [];

const commands: AgentCommands = {
  ask: (url) => ask(url, {}),
  startLoad(options) {
    addresses = options.addresses;
    going = true;
    lanes = Array.from({ length: options.lanes }, (_, lane) => sendAll(lane, options.authority));
  },
  setAddresses(now) {
    addresses = now;
  },
  answeredSoFar: () => byOrigin,
  async stopLoad() {
    going = false;
    await Promise.all(lanes);
    return { answered, failures, byOrigin };
  },
  startStore,
  stored: () => records,
};

/** One client with its own connections. */
async function sendAll(lane: number, authority: string): Promise<void> {
  const scheme = lane % 2 === 0 ? 'http' : 'https';
  const agent =
    scheme === 'http'
      ? new HttpAgent({ keepAlive: true, maxSockets: 1 })
      : new HttpsAgent({ keepAlive: true, maxSockets: 1, ca: authority, servername: 'shop.test' });
  for (let number = 0; going; number++) {
    const address = addresses[(lane + number) % addresses.length]!;
    const path = `/order/${lane}-${number}`;
    try {
      const { status, body } = await ask(`${scheme}://${address}${path}`, { agent, headers: { host: 'shop.test' } });
      if (status === 200 && body.startsWith('hello from ')) answered.push(path);
      else failures.push(`${scheme}://${address}${path}: ${status} ${body.trim()}`);
      byOrigin[`${scheme} ${address}`] = (byOrigin[`${scheme} ${address}`] ?? 0) + 1;
    } catch (error) {
      failures.push(`${scheme}://${address}${path}: ${(error as Error).message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  agent.destroy();
}

function ask(
  url: string,
  options: { agent?: HttpAgent | HttpsAgent; headers?: Record<string, string> },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const asked = send(url, { ...options, timeout }, (response) => {
      readAll(response).then((body) => resolve({ status: response.statusCode ?? 0, body: body.toString() }), reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', reject);
    asked.end();
  });
}

function startStore(port: number): Promise<number> {
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
      const items = request.url?.includes('_bulk') === true ? takeBulk(text) : [];
      response.setHeader('content-type', 'application/json');
      // What clients of version 8 look for before they believe that it is one.
      response.setHeader('x-elastic-product', 'Elasticsearch');
      response.end(JSON.stringify({ took: 1, errors: false, items }));
    });
  });
  return new Promise((resolve) => server.listen(port, () => resolve((server.address() as AddressInfo).port)));
}

/** Two lines a record: what to do with it, and the record. */
function takeBulk(text: string): unknown[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.flatMap((line, index) => {
    if (index % 2 === 1) return [];
    const action = JSON.parse(line) as Record<string, { _id?: string }>;
    const [verb, target] = Object.entries(action)[0]!;
    records.push({ id: target._id, fields: JSON.parse(lines[index + 1]!) as Record<string, unknown> });
    return [{ [verb]: { ...target, status: 201 } }];
  });
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

process.on('message', ({ id, command, argument }: { id: number; command: keyof AgentCommands; argument: never }) => {
  void (async () => {
    try {
      process.send!({ id, result: await commands[command](argument) });
    } catch (error) {
      process.send!({ id, error: (error as Error).message });
    }
  })();
});
// Whoever started this has gone.
process.on('disconnect', () => process.exit());
