import type { PodMetadata } from '../../pod/index.ts';
import { setAside, setField } from '../parse/set-field.ts';
import type { RawRecord } from '../record.ts';
import type { EnrichConfig } from './config.ts';
import { compileCorrelation } from './correlation.ts';
import { podFields } from './pod-fields.ts';

type Fields = Record<string, unknown>;

export interface Enrich {
  /** Lifts the ids by which the record joins others. */
  lift(fields: Fields): void;
  /** Adds what is known beside the text of the record. What is added may be shared by records. */
  add(fields: Fields, raw: RawRecord): void;
}

/** Compiles what is added; what is told of the pod is made once for each of its versions. */
export function compileEnrich(config: EnrichConfig, pod: PodMetadata): Enrich {
  const put = putters[config.on_clash];
  const correlate = compileCorrelation(config);
  const fixed = Object.entries(config.fields);
  let version = -1;
  let ofPod: [string, unknown][] = [];
  return {
    lift(fields) {
      const found = correlate(fields);
      // The ids are the app's own: where they stand under the very name they stay as they are.
      if (found.request_id !== undefined) lift(fields, 'request_id', found.request_id, put);
      if (found.trace_id !== undefined) lift(fields, 'trace_id', found.trace_id, put);
      if (found.span_id !== undefined) lift(fields, 'span_id', found.span_id, put);
    },
    add(fields, raw) {
      const { current } = pod;
      if (current.version !== version) {
        version = current.version;
        ofPod = Object.entries(podFields(current, config.pod_fields));
      }
      for (const [name, value] of ofPod) put(fields, name, value);
      for (const [name, value] of fixed) put(fields, name, value);
      if (!config.file_fields) return;
      put(fields, 'input', raw.source.input);
      put(fields, 'log', { file: { path: raw.source.path }, offset: raw.start });
    },
  };
}

function lift(fields: Fields, name: string, value: string, put: Put): void {
  if (fields[name] !== value) put(fields, name, value);
}

type Put = (fields: Fields, name: string, value: unknown) => void;

const putters: Readonly<Record<EnrichConfig['on_clash'], Put>> = {
  rename(fields, name, value) {
    const has = Object.hasOwn(fields, name);
    if (!has) return setField(fields, name, value);
    setAside(fields, `app_${name}`, fields[name], 'app_');
    setField(fields, name, value);
  },
  keep(fields, name, value) {
    if (!Object.hasOwn(fields, name)) setField(fields, name, value);
  },
  override: setField,
};
