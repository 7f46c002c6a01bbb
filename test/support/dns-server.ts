/** A name server of our own on loopback, over UDP and TCP (RFC 1035), which answers what a test wants. */
import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a name gets as answer. */
export type DnsAnswer =
  /** IPv4 addresses, each good for `ttl` seconds; none is an empty answer. Those that fit no datagram come over TCP. */
  | { readonly addresses: readonly string[]; readonly ttl: number; readonly delay?: number }
  | { readonly error: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED'; readonly delay?: number };

export interface DnsServer {
  /** `address:port` */
  readonly address: string;
  /** Questions for IPv4 addresses, in order. */
  readonly questions: readonly Asked[];
  /** From now on; names without an answer do not exist. */
  answer(name: string, answer: DnsAnswer): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly name: string;
  readonly transport: 'udp' | 'tcp';
  /** `performance.now()` */
  readonly at: number;
}

const codes = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const typeA = 1;
/** Largest datagram without EDNS (RFC 1035 §2.3.4). */
const largest = 512;

interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** As it came, to be repeated. */
  readonly section: Buffer;
}

export async function startDnsServer(): Promise<DnsServer> {
  const answers = new Map<string, DnsAnswer>();
  const questions: Asked[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const sockets = new Set<Socket>();

  function reply(message: Buffer, transport: 'udp' | 'tcp', send: (response: Buffer) => void): void {
    const question = readQuestion(message);
    if (question.type === typeA) questions.push({ name: question.name, transport, at: performance.now() });
    const answer = answers.get(question.name) ?? { error: 'NXDOMAIN' };
    const whole = render(question, answer, false);
    const response = transport === 'udp' && whole.length > largest ? render(question, answer, true) : whole;
    if (answer.delay === undefined) return send(response);
    const timer = setTimeout(() => {
      timers.delete(timer);
      send(response);
    }, answer.delay);
    timers.add(timer);
  }

  const udp = createSocket('udp4');
  udp.on('message', (message, from) => {
    reply(message, 'udp', (response) => udp.send(response, from.port, from.address, () => {}));
  });
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        reply(received.subarray(2, end), 'tcp', (response) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(response.length);
          socket.write(Buffer.concat([length, response]));
        });
        received = received.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as AddressInfo;
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${port}`,
    questions,
    answer: (name, answer) => void answers.set(name, answer),
    async close() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      await Promise.all([new Promise<void>((done) => udp.close(done)), new Promise((done) => tcp.close(done))]);
    },
  };
}

function readQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = message.readUInt16BE(at + 1);
  const section = message.subarray(12, at + 5);
  return { id: message.readUInt16BE(0), name: labels.join('.').toLowerCase(), type, section };
}

/** @param truncated only says that there is more (TC) */
function render({ id, type, section }: Question, answer: DnsAnswer, truncated: boolean): Buffer {
  const addresses = 'error' in answer || type !== typeA || truncated ? [] : answer.addresses;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  // A response to a recursive question, by a server that recurses.
  header.writeUInt16BE(0x8180 | (truncated ? 0x0200 : 0) | ('error' in answer ? codes[answer.error] : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    // The name of the question, at byte 12.
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE('ttl' in answer ? answer.ttl : 0, 6);
    record.writeUInt16BE(4, 10);
    record.set(address.split('.').map(Number), 12);
    return record;
  });
  return Buffer.concat([header, section, ...records]);
}
