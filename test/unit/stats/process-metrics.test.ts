import { closeSync, openSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { processMetrics } from '../../../src/stats/process-metrics.ts';
import { Stats } from '../../../src/stats/index.ts';

function start() {
  const stats = new Stats();
  const stop = processMetrics(stats, { version: '1.2.3' });
  onTestFinished(stop);
  const value = async (name: string) =>
    Number(new RegExp(`^${name}(?:\\{.*\\})? (.+)$`, 'm').exec(await stats.render())?.[1]);
  return { stats, stop, value };
}

describe('process metrics', () => {
  it.each([
    ['portico_build_info', 1, 1],
    ['process_cpu_seconds_total', 0.01, 10_000],
    ['process_resident_memory_bytes', 20e6, 10e9],
    ['process_start_time_seconds', 1.7e9, Date.now() / 1000],
    ['process_open_fds', 3, 100_000],
    ['process_max_fds', 100, 1e10],
    ['nodejs_heap_size_used_bytes', 1e6, 10e9],
    ['nodejs_heap_size_limit_bytes', 50e6, 1e12],
    ['nodejs_eventloop_active_seconds_total', 0, 10_000],
    ['nodejs_eventloop_lag_p99_seconds', 0, 60],
  ])('%s is between %d and %d', async (name, least, most) => {
    const value = await start().value(name);
    expect(value).toBeGreaterThanOrEqual(least);
    expect(value).toBeLessThanOrEqual(most);
  });

  it('counts open file descriptors', async () => {
    const { value } = start();
    const before = await value('process_open_fds');
    const opened = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
    const after = await value('process_open_fds');
    opened.forEach((fd) => closeSync(fd));
    expect(after - before).toBeGreaterThanOrEqual(18);
    expect(after - before).toBeLessThanOrEqual(22);
  });

  it('never let a counter fall', async () => {
    const { value } = start();
    const first = await value('process_cpu_seconds_total');
    for (const until = performance.now() + 50; performance.now() < until;);
    const second = await value('process_cpu_seconds_total');
    expect(second).toBeGreaterThan(first);
    expect(second - first).toBeLessThan(10);
  });

  it('see an event loop that was blocked, and forget it after a scrape', async () => {
    const { value } = start();
    await new Promise((resolve) => setTimeout(resolve, 120));
    for (const until = performance.now() + 300; performance.now() < until;);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await value('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.2);
    expect(await value('nodejs_eventloop_lag_max_seconds')).toBeLessThan(0.2);
  });

  it('can be stopped and started again', async () => {
    const { stats, stop } = start();
    stop();
    expect(await stats.render()).not.toContain('process_');
    onTestFinished(processMetrics(stats, { version: '2' }));
    expect(await stats.render()).toContain('version="2"');
  });
});
