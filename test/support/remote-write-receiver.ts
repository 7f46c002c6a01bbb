import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { readPackedVarints, readProtobuf } from './read-protobuf.ts';
import { unsnappy } from './unsnappy.ts';

export interface ReceivedSample {
  /** `name{label="value"}` */
  readonly series: string;
  /** `stale` for the NaN that ends a series. */
  readonly value: number | 'stale';
  readonly at: number;
  /** Remote write 2.0 only. */
  readonly metadata?: { type: number; help: string; unit: string };
}

export interface Received {
  readonly version: '1.0' | '2.0';
  readonly samples: ReceivedSample[];
  /** Remote write 1.0 only. */
  readonly metadata: { type: number; name: string; help: string; unit: string }[];
  readonly headers: IncomingMessage['headers'];
}

/** `silent`: a receiver of 2.0 that does not say how much it has written. */
export type Answer = { status: number; headers?: Record<string, string>; silent?: boolean };

/** Receives remote write as its specifications say, and throws at what they do not allow. */
export async function startReceiver(
  answer: (received: Received, count: number) => Answer = () => ({ status: 204 }),
  tls?: ServerOptions,
) {
  const all: Received[] = [];
  const accepted: Received[] = [];
  const faults: Error[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      try {
        const received = decode(request.headers, Buffer.concat(chunks));
        all.push(received);
        const { status, headers = {}, silent = false } = answer(received, all.length);
        const taken = status >= 200 && status < 300 && !silent;
        if (taken) accepted.push(received);
        if (taken && received.version === '2.0') {
          response.setHeader('x-prometheus-remote-write-samples-written', received.samples.length);
        }
        response.writeHead(status, headers).end();
      } catch (error) {
        faults.push(error as Error);
        response.writeHead(400).end();
      }
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
    all,
    accepted,
    faults,
    samples: () => accepted.flatMap(({ samples }) => samples),
  };
}

function decode(headers: IncomingMessage['headers'], body: Buffer): Received {
  if (headers['content-encoding'] !== 'snappy') throw new Error('not snappy');
  const message = unsnappy(body);
  switch (`${headers['content-type']} ${headers['x-prometheus-remote-write-version'] as string}`) {
    case 'application/x-protobuf 0.1.0':
      return { version: '1.0', headers, ...versionOne(message) };
    case 'application/x-protobuf;proto=io.prometheus.write.v2.Request 2.0.0':
      return { version: '2.0', headers, ...versionTwo(message) };
    default:
      throw new Error('content type and version do not fit');
  }
}

const asText = (value: bigint | Buffer) => new TextDecoder('utf-8', { fatal: true }).decode(value as Buffer);

function versionOne(message: Buffer) {
  const samples: ReceivedSample[] = [];
  const metadata: Received['metadata'] = [];
  for (const { field, value } of readProtobuf(message)) {
    if (field === 1) {
      const labels: string[] = [];
      const found: [number | 'stale', number][] = [];
      for (const part of readProtobuf(value as Buffer)) {
        if (part.field === 1) labels.push(...readProtobuf(part.value as Buffer).map((each) => asText(each.value)));
        else if (part.field === 2) found.push(sampleOf(part.value as Buffer));
        else throw new Error(`TimeSeries has no field ${part.field}`);
      }
      for (const [number, at] of found) samples.push({ series: seriesOf(labels), value: number, at });
    } else if (field === 3) {
      const parts = new Map(readProtobuf(value as Buffer).map((part) => [part.field, part.value]));
      const text = (number: number) => (parts.has(number) ? asText(parts.get(number)!) : '');
      metadata.push({ type: Number(parts.get(1) ?? 0), name: text(2), help: text(4), unit: text(5) });
    } else throw new Error(`WriteRequest has no field ${field}`);
  }
  return { samples, metadata };
}

function versionTwo(message: Buffer) {
  const fields = readProtobuf(message);
  const symbols = fields.filter(({ field }) => field === 4).map(({ value }) => asText(value));
  if (symbols[0] !== '') throw new Error('the first symbol is not empty');
  if (new Set(symbols).size !== symbols.length) throw new Error('a symbol is there twice');
  const symbol = (at: number) => {
    const text = symbols[at];
    if (text === undefined) throw new Error(`there is no symbol ${at}`);
    return text;
  };
  const samples: ReceivedSample[] = [];
  for (const { field, value } of fields) {
    if (field === 4) continue;
    if (field !== 5) throw new Error(`Request has no field ${field}`);
    const parts = readProtobuf(value as Buffer);
    const labels = parts.filter((part) => part.field === 1).flatMap((part) => readPackedVarints(part.value as Buffer));
    const about = new Map(
      readProtobuf(parts.find((part) => part.field === 5)!.value as Buffer).map((part) => [
        part.field,
        Number(part.value),
      ]),
    );
    const metadata = { type: about.get(1) ?? 0, help: symbol(about.get(3) ?? 0), unit: symbol(about.get(4) ?? 0) };
    for (const part of parts.filter((each) => each.field === 2)) {
      const [number, at] = sampleOf(part.value as Buffer);
      samples.push({ series: seriesOf(labels.map(symbol)), value: number, at, metadata });
    }
  }
  return { samples, metadata: [] };
}

function sampleOf(bytes: Buffer): [value: number | 'stale', at: number] {
  const parts = new Map(readProtobuf(bytes).map(({ field, value }) => [field, value]));
  const value = parts.get(1) as Buffer;
  const isStale = value.readBigUInt64LE() === 0x7ff0000000000002n;
  return [isStale ? 'stale' : value.readDoubleLE(), Number(BigInt.asIntN(64, parts.get(2) as bigint))];
}

/** Labels must be sorted, unique and not empty. */
function seriesOf(labels: readonly string[]): string {
  let name = '';
  const pairs: string[] = [];
  for (let at = 0; at < labels.length; at += 2) {
    if (at > 0 && labels[at - 2]! >= labels[at]!) throw new Error(`labels are not sorted: ${labels.join(' ')}`);
    if (labels[at + 1] === '' || labels[at + 1] === undefined) throw new Error('a label is empty');
    if (labels[at] === '__name__') name = labels[at + 1]!;
    else pairs.push(`${labels[at]}="${labels[at + 1]}"`);
  }
  if (name === '') throw new Error('a series has no name');
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}
