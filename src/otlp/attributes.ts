import { bool, double, integer, message, messages, text, type MessageShape } from '../protobuf/index.ts';

/** A value as OTLP's JSON has it: one of these, or nothing for null. */
export type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number | string }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } }
  | { readonly kvlistValue: { readonly values: readonly KeyValue[] } }
  | Record<string, never>;

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** JSON has no word for some of these; protobuf's JSON has. */
export function jsonDouble(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

// Numbers of the fields: opentelemetry-proto, common/v1 and resource/v1.

const anyValue: MessageShape = {
  stringValue: text(1),
  boolValue: bool(2),
  intValue: integer(3),
  doubleValue: double(4),
  arrayValue: message(5, () => ({ values: messages(1, () => anyValue) })),
  kvlistValue: message(6, () => ({ values: messages(1, () => keyValue) })),
};

const keyValue: MessageShape = { key: text(1), value: message(2, () => anyValue) };

export const anyValueShape = anyValue;

export const attributes = (field: number) => messages(field, () => keyValue);

export const resourceShape: MessageShape = { attributes: attributes(1) };

export const scopeShape: MessageShape = { name: text(1) };
