/** Protobuf's wire format: writing messages, going through their fields. Knows no message, and no other room. */
export * from './message-shape.ts';
export * from './protobuf-fields.ts';
export * from './protobuf-writer.ts';
