import { decodeOtlp, encodeAnswer } from './otlp-decoder.ts';
import { startStore, type StoreServer } from './store-server.ts';

/** Messages that a store has, in their order of arrival. */
export interface MessageStore extends StoreServer {
  readonly messages: string[];
}

interface OtlpLogs {
  resourceLogs: { scopeLogs: { logRecords: OtlpRecord[] }[] }[];
}
export interface OtlpRecord {
  timeUnixNano: string;
  body?: { stringValue?: string };
}

/** A receiver of OTLP/HTTP logs in either encoding, made from the public specification. */
export async function startOtlpServer(partial?: {
  rejectedLogRecords: string;
  errorMessage: string;
}): Promise<MessageStore> {
  const messages: string[] = [];
  const store = await startStore(({ path, method, headers, body, bytes }) => {
    if (path !== '/v1/logs' || method !== 'POST') return { status: 404 };
    const type = headers['content-type'] ?? '';
    const inJson = type === 'application/json';
    if (!inJson && type !== 'application/x-protobuf') return { status: 415 };
    const logs = (inJson ? JSON.parse(body) : decodeOtlp('ExportLogsServiceRequest', bytes)) as OtlpLogs;
    const records = logs.resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords));
    if (records.some(({ timeUnixNano }) => !/^\d+$/.test(timeUnixNano))) return { status: 400, body: 'bad time' };
    if (records.some((record) => record.body?.stringValue?.includes('poison')))
      return { status: 400, body: 'bad data' };
    messages.push(...records.map((record) => record.body?.stringValue ?? ''));
    const answer = partial === undefined ? {} : { partialSuccess: partial };
    return {
      status: 200,
      headers: { 'content-type': type },
      body: inJson ? JSON.stringify(answer) : encodeAnswer('ExportLogsServiceResponse', answer),
    };
  });
  return Object.assign(store, { messages });
}

export interface LokiServer extends MessageStore {
  readonly streams: Map<string, [string, string][]>;
}

/** Loki's push endpoint, made from the public specification: takes what it can, and answers 400 when that is not all. */
export async function startLokiServer(): Promise<LokiServer> {
  const messages: string[] = [];
  const streams = new Map<string, [string, string][]>();
  const store = await startStore(({ path, headers, body }) => {
    if (path !== '/loki/api/v1/push') return { status: 404 };
    if (headers['content-type'] !== 'application/json') return { status: 400, body: 'content type' };
    const push = JSON.parse(body) as { streams: { stream: Record<string, string>; values: [string, string][] }[] };
    let refused = '';
    for (const { stream, values } of push.streams) {
      if (Object.keys(stream).length === 0) refused = 'at least one label pair is required per stream';
      const key = JSON.stringify(stream);
      const entries = streams.get(key) ?? [];
      streams.set(key, entries);
      for (const [time, line] of values) {
        if (line.includes('poison')) {
          refused = 'entry with timestamp too far behind';
          continue;
        }
        if (entries.some((entry) => entry[0] === time && entry[1] === line)) continue;
        entries.push([time, line]);
        messages.push(String((JSON.parse(line) as { message?: unknown }).message));
      }
    }
    return refused === '' ? { status: 204 } : { status: 400, body: refused };
  });
  return Object.assign(store, { messages, streams });
}

/** Takes JSON lines. */
export async function startLinesServer(): Promise<MessageStore> {
  const messages: string[] = [];
  const store = await startStore(({ body }) => {
    const taken = body
      .trimEnd()
      .split('\n')
      .map((line) => String((JSON.parse(line) as { message: unknown }).message));
    if (taken.some((message) => message.includes('poison'))) return { status: 400, body: 'bad line' };
    messages.push(...taken);
    return { status: 200 };
  });
  return Object.assign(store, { messages });
}
