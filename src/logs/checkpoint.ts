import { createHash } from 'node:crypto';
import * as v from 'valibot';

const offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const positionSchema = v.object({
  key: v.string(),
  device: v.string(),
  inode: v.string(),
  born: v.optional(v.string()),
  generation: offset,
  fingerprint: v.object({ length: offset, sha256: v.string() }),
  path: v.string(),
  input: v.string(),
  offset,
  size: offset,
  seen: v.number(),
  /** Its inode may be another file's by now. */
  deleted: v.optional(v.boolean()),
  /** It was read to its end after it had been rotated. */
  done: v.optional(v.boolean()),
  /** It is a compressed file, and the offset, the size and the fingerprint are those of the text in it. */
  compressed: v.optional(v.boolean()),
});

/** How far a file has been shipped. */
export type Position = Readonly<v.InferOutput<typeof positionSchema>>;

const kind = 'portico logs checkpoint';
const version = 1;

const headerSchema = v.object({ kind: v.literal(kind), version: v.number(), sha256: v.string() });

/** Thrown for a checkpoint that must not be used; the message says why. */
export class CheckpointRefused extends Error {
  override readonly name = 'CheckpointRefused';
}

/** Two lines: what it is, with the SHA-256 of the second, and the positions. */
export function writeCheckpoint(positions: readonly Position[]): string {
  const body = JSON.stringify(positions);
  return `${JSON.stringify({ kind, version, sha256: hash(body) })}\n${body}\n`;
}

/** @throws CheckpointRefused */
export function readCheckpoint(text: string): readonly Position[] {
  const newline = text.indexOf('\n');
  const header = v.safeParse(headerSchema, parse(text.slice(0, Math.max(0, newline))));
  if (!header.success) throw new CheckpointRefused('it is not a checkpoint of portico logs');
  if (header.output.version !== version) {
    throw new CheckpointRefused(`it is of version ${header.output.version}, and this portico knows version ${version}`);
  }
  const body = text.slice(newline + 1).replace(/\n$/, '');
  if (hash(body) !== header.output.sha256) throw new CheckpointRefused('it is damaged: its checksum does not match');
  const positions = v.safeParse(v.array(positionSchema), parse(body));
  if (!positions.success) throw new CheckpointRefused('its positions are not what they should be');
  return positions.output;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
