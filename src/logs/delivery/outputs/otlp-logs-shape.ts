import { anyValueShape, attributes, resourceShape, scopeShape } from '../../../otlp/index.ts';
import { fixed32, fixed64, hex, integer, message, messages, text, type MessageShape } from '../../../protobuf/index.ts';

const logRecord: MessageShape = {
  timeUnixNano: fixed64(1),
  observedTimeUnixNano: fixed64(11),
  severityNumber: integer(2),
  severityText: text(3),
  body: message(5, () => anyValueShape),
  attributes: attributes(6),
  flags: fixed32(8),
  traceId: hex(9),
  spanId: hex(10),
};

const scopeLogs: MessageShape = { scope: message(1, () => scopeShape), logRecords: messages(2, () => logRecord) };

const resourceLogs: MessageShape = {
  resource: message(1, () => resourceShape),
  scopeLogs: messages(2, () => scopeLogs),
};

/** ExportLogsServiceRequest. Numbers of the fields: opentelemetry-proto, logs/v1 and collector/logs/v1. */
export const logsRequestShape: MessageShape = { resourceLogs: messages(1, () => resourceLogs) };
