// Part by part: the whole also loads node:https, node:cluster and OpenTelemetry for parts that nobody here uses, 13 MB.
export { default as Counter } from 'prom-client/lib/counter.js';
export { default as Gauge } from 'prom-client/lib/gauge.js';
export { default as Registry } from 'prom-client/lib/registry.js';
export type { Metric } from 'prom-client';
