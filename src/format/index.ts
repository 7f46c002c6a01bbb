/** Envoy's command operators (`%RESPONSE_CODE%`), compiled at load for access logs, header values and the like. */
export { compileFormat, type FormatOptions } from './compile-format.ts';
export { compileJsonFormat, type JsonFormat } from './compile-json-format.ts';
export { escapeText, quoteJson } from './escape.ts';
export { operators, type Operator } from './operators.ts';
export { compileRedactQuery } from './redact-query.ts';
