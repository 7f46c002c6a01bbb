import * as v from 'valibot';
import { doc } from '../options/index.ts';
import { ProtobufWriter, writeMessage, type MessageShape } from '../protobuf/index.ts';

const encodings = ['protobuf', 'json'] as const;

export type OtlpEncoding = (typeof encodings)[number];

export const otlpEncodingSchema = v.optional(
  doc(
    'How OTLP is written. Every receiver takes protobuf, and some take JSON.',
    v.picklist(encodings, 'must be protobuf or json'),
  ),
  'protobuf',
);

/** Source: OTLP specification 1.x, OTLP/HTTP Request. */
export const otlpContentTypes: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** @throws Error when the request has what the shape has not */
export function encodeOtlp(request: object, shape: MessageShape, encoding: OtlpEncoding): Buffer {
  if (encoding === 'json') return Buffer.from(JSON.stringify(request));
  const writer = new ProtobufWriter();
  writeMessage(writer, request, shape);
  return writer.finish();
}
