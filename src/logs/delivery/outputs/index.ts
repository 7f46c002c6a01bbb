import type { Clock } from '../../../filter/define-filter.ts';
import type { DeliveryConfig } from '../config.ts';
import type { Output } from '../outcome.ts';
import { elasticsearch } from './elasticsearch.ts';
import { fileOutput } from './file.ts';
import { http } from './http.ts';
import { httpOutput } from './http-output.ts';
import { loki } from './loki.ts';
import { otlpHttp } from './otlp-http.ts';
import { stdoutOutput } from './stdout.ts';

export function createOutput({ output, max_in_flight: connections }: DeliveryConfig, clock: Clock): Output {
  const options = { clock, connections };
  switch (output.kind) {
    case 'elasticsearch':
      return httpOutput(output, elasticsearch(output), options);
    case 'otlp_http':
      return httpOutput(output, otlpHttp(output), options);
    case 'loki':
      return httpOutput(output, loki(output), options);
    case 'http':
      return httpOutput(output, http(), options);
    case 'stdout':
      return stdoutOutput();
    case 'file':
      return fileOutput(output);
  }
}
