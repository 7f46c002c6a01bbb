import type { ProtobufWriter } from './protobuf-writer.ts';

/** Writes the value of one field, which is never undefined. */
export type FieldShape = (writer: ProtobufWriter, value: unknown) => void;

/**
 * The fields of a message by the names that they have in protobuf's JSON, with which the same plain object can be written either way.
 * Values are as in that JSON: integers of 64 bits are decimal text, bytes are hexadecimal (as OTLP has it).
 */
export type MessageShape = Readonly<Record<string, FieldShape>>;

/** @throws Error when the object has a name that the shape has not, or a number that does not fit */
export function writeMessage(writer: ProtobufWriter, message: object, shape: MessageShape): void {
  for (const name in message) {
    const value: unknown = message[name as keyof typeof message];
    if (value === undefined) continue;
    const write = shape[name];
    if (write === undefined) throw new Error(`a message has a field that its shape has not: ${name}`);
    write(writer, value);
  }
}

export const text =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.text(field, value as string);

export const hex =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.bytes(field, Buffer.from(value as string, 'hex'));

export const bool =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.integer(field, value === true ? 1 : 0);

/** int64, uint32 or an enumeration; not more than 2^53. */
export const integer =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.integer(field, Number(value));

export const double =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.double(field, Number(value));

export const fixed64 =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.fixed64(field, BigInt(value as string));

export const fixed32 =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.fixed32(field, value as number);

export const packedFixed64 =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.packedFixed64(field, (value as string[]).map(BigInt));

export const packedDoubles =
  (field: number): FieldShape =>
  (writer, value) =>
    writer.packedDoubles(field, value as number[]);

/** @param shape a function, since messages may hold their like */
export const message =
  (field: number, shape: () => MessageShape): FieldShape =>
  (writer, value) =>
    writer.message(field, (inner) => writeMessage(inner, value as object, shape()));

export const messages =
  (field: number, shape: () => MessageShape): FieldShape =>
  (writer, value) => {
    for (const each of value as object[]) writer.message(field, (inner) => writeMessage(inner, each, shape()));
  };
