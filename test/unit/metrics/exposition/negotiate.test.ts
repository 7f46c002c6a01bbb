import { describe, expect, it } from 'vitest';
import { escapeName } from '../../../../src/metrics/exposition/names.ts';
import { negotiate } from '../../../../src/metrics/exposition/negotiate.ts';

const text = 'text/plain; version=0.0.4; charset=utf-8';
const protobuf = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

describe('the format of the page', () => {
  it.each([
    ['nothing', undefined, text],
    ['anything', '*/*', text],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', text],
    ['OpenMetrics', 'application/openmetrics-text;version=1.0.0', openMetrics],
    ['OpenMetrics 0.0.1', 'application/openmetrics-text; version=0.0.1', openMetrics],
    ['a version that nobody knows', 'application/openmetrics-text; version=2.0.0, text/plain;q=0.5', text],
    ['text before OpenMetrics', 'application/openmetrics-text;q=0.2,text/plain;q=0.9', text],
    ['OpenMetrics not at all', 'application/openmetrics-text;q=0, text/plain;q=0.1', text],
    [
      'protobuf alone',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
      protobuf,
    ],
    [
      'Prometheus 2',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      openMetrics,
    ],
    [
      'Prometheus 2 with native histograms',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5',
      protobuf,
    ],
    [
      'Prometheus 3',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      `${openMetrics}; escaping=allow-utf-8`,
    ],
    [
      'text 1.0.0 with UTF-8',
      'text/plain;version=1.0.0;escaping=allow-utf-8',
      'text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
    ],
    [
      'escaped by dots',
      'text/plain;version=1.0.0;escaping=dots',
      'text/plain; version=0.0.4; charset=utf-8; escaping=dots',
    ],
    ['nonsense', ';;,q=2,text/plain;q=x', text],
  ])('for %s', (_, accept, contentType) => {
    expect(negotiate(accept).contentType).toBe(contentType);
  });
});

/** As in prometheus/common `model/metric_test.go`. */
describe('names for scrapers that do not take UTF-8', () => {
  it.each([
    ['no:escaping_required', 'no:escaping_required', 'no:escaping__required', 'no:escaping_required'],
    [
      'mysystem.prod.west.cpu.load',
      'mysystem_prod_west_cpu_load',
      'mysystem_dot_prod_dot_west_dot_cpu_dot_load',
      'U__mysystem_2e_prod_2e_west_2e_cpu_2e_load',
    ],
    ['http.status:sum', 'http_status:sum', 'http_dot_status:sum', 'U__http_2e_status:sum'],
    ['label with 😱', 'label_with__', 'label__with____', 'U__label_20_with_20__1f631_'],
    ['0abc', '_abc', '__abc', 'U___30_abc'],
  ])('%s', (name, underscores, dots, values) => {
    expect(escapeName(name, 'underscores')).toBe(underscores);
    expect(escapeName(name, 'dots')).toBe(dots);
    expect(escapeName(name, 'values')).toBe(values);
    expect(escapeName(name, 'allow-utf-8')).toBe(name);
  });
});
