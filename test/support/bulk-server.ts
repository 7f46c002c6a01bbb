import { startStore, type StoreAnswer, type StoreRequest, type StoreServer } from './store-server.ts';

export interface BulkServerOptions {
  /** Names that are data streams: they take `create` only, and each document must have a time. */
  readonly dataStreams?: readonly string[];
  /** `http.max_content_length`, in bytes after decompression. */
  readonly maxContentLength?: number;
  /** The only `authorization` that is accepted, when there is one. */
  authorization?: string;
}

interface Failure {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

export interface BulkServer extends StoreServer {
  /** Documents by index and id, in the order of their creation. */
  readonly documents: Map<string, Record<string, unknown>>;
  readonly options: BulkServerOptions;
  /** Ids that met themselves: 409 was answered. */
  readonly conflicts: string[];
  /** Decides on each document; undefined takes it. */
  fail: ((document: Record<string, unknown>, id: string) => Failure | undefined) | undefined;
}

export const rejectedExecution: Failure = {
  status: 429,
  type: 'es_rejected_execution_exception',
  reason: 'rejected execution of coordinating operation',
};
export const parsingFailure: Failure = {
  status: 400,
  type: 'mapper_parsing_exception',
  reason: 'failed to parse field [n] of type [long]',
};

/** A stand-in for Elasticsearch's bulk API, made from the public specification; see docs-bulk in its reference. */
export async function startBulkServer(options: BulkServerOptions = {}): Promise<BulkServer> {
  const documents = new Map<string, Record<string, unknown>>();
  const conflicts: string[] = [];
  const store = await startStore((request) => answer(request));
  const server: BulkServer = Object.assign(store, { documents, conflicts, options, fail: undefined });
  return server;

  function answer(request: StoreRequest): StoreAnswer {
    const { authorization, maxContentLength = 100 * 1024 * 1024 } = options;
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      return failure(401, 'security_exception', 'missing authentication credentials for REST request');
    }
    if (request.path === '/' && request.method === 'GET') {
      return json(200, { name: 'stand-in', cluster_name: 'test', version: { number: '8.15.0' }, tagline: 'for tests' });
    }
    const match = /^(?:\/([^/]+))?\/_bulk$/.exec(request.path);
    if (match === null) return failure(400, 'illegal_argument_exception', `no handler found for uri [${request.path}]`);
    if (request.method !== 'POST' && request.method !== 'PUT') {
      return failure(405, 'method_not_allowed', 'allowed: [POST, PUT]');
    }
    if (Buffer.byteLength(request.body) > maxContentLength) return { status: 413 };
    if (!/^application\/(?:x-ndjson|json)\b/.test(request.headers['content-type'] ?? '')) {
      return failure(406, 'media_type_header_exception', 'Content-Type header is not supported');
    }
    if (request.body === '') return failure(400, 'parse_exception', 'request body is required');
    if (!request.body.endsWith('\n')) {
      return failure(400, 'illegal_argument_exception', 'The bulk request must be terminated by a newline [\\n]');
    }
    return bulk(request.body.slice(0, -1).split('\n'), match[1], request);
  }

  function bulk(lines: readonly string[], pathIndex: string | undefined, request: StoreRequest): StoreAnswer {
    const work: { action: string; index: string; id: string; source: string }[] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const parsed = parseAction(lines[at]!);
      if (parsed === undefined) {
        return failure(400, 'illegal_argument_exception', `Malformed action/metadata line [${at + 1}]`);
      }
      const [action, { _index: index = pathIndex, _id: id, ...unknown }] = parsed;
      if (Object.keys(unknown).length > 0) {
        return failure(
          400,
          'illegal_argument_exception',
          `Action/metadata line [${at + 1}] contains an unknown parameter`,
        );
      }
      if (index === undefined) return failure(400, 'action_request_validation_exception', 'index is missing;');
      const source = lines[at + 1];
      if (source === undefined) return failure(400, 'illegal_argument_exception', 'the last action has no source');
      work.push({ action, index, id: id ?? `generated-${documents.size}-${at}`, source });
    }
    const items = work.map(({ action, index, id, source }) => {
      const result = createOne(action, index, id, source);
      const shown =
        'type' in result ? { status: result.status, error: { type: result.type, reason: result.reason } } : result;
      // The stand-in knows one filter_path: the one that leaves the ids out.
      const named = request.query.has('filter_path') ? {} : { _index: index, _id: id };
      return { [action]: { ...named, ...shown } };
    });
    const errors = items.some((item) => Object.values(item)[0]!.status >= 300);
    return json(200, { errors, items });
  }

  function createOne(action: string, index: string, id: string, source: string): Failure | { status: number } {
    const isStream = options.dataStreams?.includes(index) ?? false;
    if (isStream && action !== 'create') {
      return {
        status: 400,
        type: 'illegal_argument_exception',
        reason: 'only write ops with an op_type of create are allowed in data streams',
      };
    }
    if (Buffer.byteLength(id) > 512) {
      return {
        status: 400,
        type: 'illegal_argument_exception',
        reason: 'id is too long, must be no longer than 512 bytes',
      };
    }
    let document: unknown;
    try {
      document = JSON.parse(source);
    } catch {
      document = undefined;
    }
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      return { ...parsingFailure, reason: 'failed to parse' };
    }
    const fields = document as Record<string, unknown>;
    if (isStream && Number.isNaN(Date.parse(String(fields['@timestamp'])))) {
      return {
        status: 400,
        type: 'document_parsing_exception',
        reason: 'data stream timestamp field [@timestamp] is missing',
      };
    }
    const failed = server.fail?.(fields, id);
    if (failed !== undefined) return failed;
    const key = `${index}/${id}`;
    if (action === 'create' && documents.has(key)) {
      conflicts.push(id);
      return {
        status: 409,
        type: 'version_conflict_engine_exception',
        reason: `[${id}]: version conflict, document already exists`,
      };
    }
    const status = documents.has(key) ? 200 : 201;
    documents.set(key, fields);
    return { status };
  }
}

function parseAction(line: string): [string, Record<string, string>] | undefined {
  try {
    const entries = Object.entries(JSON.parse(line) as Record<string, Record<string, string>>);
    const [action, meta] = entries[0] ?? [];
    if (entries.length !== 1 || (action !== 'create' && action !== 'index') || typeof meta !== 'object')
      return undefined;
    return [action, meta];
  } catch {
    return undefined;
  }
}

function json(status: number, body: unknown): StoreAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function failure(status: number, type: string, reason: string): StoreAnswer {
  return json(status, { error: { root_cause: [{ type, reason }], type, reason }, status });
}
