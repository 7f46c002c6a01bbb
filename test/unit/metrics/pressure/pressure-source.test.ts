import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { createPressureSource, pressureSchema } from '../../../../src/metrics/pressure/index.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { samplesOf, sourceDeps } from '../../../support/source-deps.ts';

async function read(config: object) {
  const deps = sourceDeps();
  const source = createPressureSource(v.parse(pressureSchema, config), deps);
  await source.families(0);
  return { values: samplesOf(await source.families(0)), lines: deps.lines };
}

const versionTwo = {
  'cgroup.controllers': 'cpu memory io\n',
  'cpu.pressure':
    'some avg10=23.32 avg60=14.52 avg300=0.07 total=165823201\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  'memory.current': '1000\n',
  'memory.max': '2000\n',
  'memory.high': 'max\n',
  'memory.stat': 'anon 5\ninactive_file 300\n',
  'memory.events': 'low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n',
  'cpu.max': '150000 100000\n',
  'cpu.stat': 'usage_usec 2500000\nuser_usec 1\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500000\n',
};

describe('pressure on a control group', () => {
  it('is what version 2 says', async () => {
    const { values } = await read({ groups: [{ name: 'app', path: folderOf(versionTwo) }] });
    const stalled = 'portico_app_pressure_stalled';
    const group = 'group="app"';
    expect(values).toEqual({
      [`${stalled}_seconds_total{${group},resource="cpu",kind="some"}`]: '165.823201',
      [`${stalled}_seconds_total{${group},resource="cpu",kind="full"}`]: '0',
      [`${stalled}_ratio{${group},resource="cpu",kind="some",window="10s"}`]: '0.2332',
      [`${stalled}_ratio{${group},resource="cpu",kind="some",window="60s"}`]: '0.1452',
      [`${stalled}_ratio{${group},resource="cpu",kind="some",window="300s"}`]: '0.0007',
      [`${stalled}_ratio{${group},resource="cpu",kind="full",window="10s"}`]: '0',
      [`${stalled}_ratio{${group},resource="cpu",kind="full",window="60s"}`]: '0',
      [`${stalled}_ratio{${group},resource="cpu",kind="full",window="300s"}`]: '0',
      [`portico_app_cgroup_memory_bytes{${group}}`]: '1000',
      [`portico_app_cgroup_memory_reclaimable_bytes{${group}}`]: '300',
      [`portico_app_cgroup_memory_max_bytes{${group}}`]: '2000',
      [`portico_app_cgroup_memory_high_bytes{${group}}`]: '+Inf',
      [`portico_app_cgroup_memory_events_total{${group},event="low"}`]: '0',
      [`portico_app_cgroup_memory_events_total{${group},event="high"}`]: '1',
      [`portico_app_cgroup_memory_events_total{${group},event="max"}`]: '2',
      [`portico_app_cgroup_memory_events_total{${group},event="oom"}`]: '3',
      [`portico_app_cgroup_memory_events_total{${group},event="oom_kill"}`]: '4',
      [`portico_app_cgroup_cpu_seconds_total{${group}}`]: '2.5',
      [`portico_app_cgroup_cpu_limit_cores{${group}}`]: '1.5',
      [`portico_app_cgroup_cpu_periods_total{${group}}`]: '10',
      [`portico_app_cgroup_cpu_throttled_periods_total{${group}}`]: '3',
      [`portico_app_cgroup_cpu_throttled_seconds_total{${group}}`]: '1.5',
    });
  });

  it('is what version 1 has of it', async () => {
    const path = folderOf({
      'memory/memory.usage_in_bytes': '1000\n',
      'memory/memory.limit_in_bytes': '9223372036854771712\n',
      'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 300\n',
      'memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
      'cpuacct/cpuacct.usage': '2500000000\n',
      'cpu/cpu.cfs_quota_us': '-1\n',
      'cpu/cpu.cfs_period_us': '100000\n',
      'cpu/cpu.stat': 'nr_periods 10\nnr_throttled 3\nthrottled_time 1500000000\n',
    });
    const { values } = await read({ groups: [{ path }] });
    expect(values).toEqual({
      'portico_app_cgroup_memory_bytes{group="self"}': '1000',
      'portico_app_cgroup_memory_reclaimable_bytes{group="self"}': '300',
      'portico_app_cgroup_memory_max_bytes{group="self"}': '+Inf',
      'portico_app_cgroup_memory_events_total{group="self",event="oom_kill"}': '2',
      'portico_app_cgroup_cpu_seconds_total{group="self"}': '2.5',
      'portico_app_cgroup_cpu_limit_cores{group="self"}': '+Inf',
      'portico_app_cgroup_cpu_periods_total{group="self"}': '10',
      'portico_app_cgroup_cpu_throttled_periods_total{group="self"}': '3',
      'portico_app_cgroup_cpu_throttled_seconds_total{group="self"}': '1.5',
    });
  });

  it('is read where the process of the app sees its group', async () => {
    const proc = folderOf({
      '9/stat': '9 (app) S 1 1 1 0 -1 4194304 102 0 0 0 250 50 7 7 20 0 3 0 5 3133440 381 1\n',
      '9/cmdline': 'app\0',
      'group/memory.current': '123\n',
    });
    mkdirSync(join(proc, '9/root/sys/fs'), { recursive: true });
    renameSync(join(proc, 'group'), join(proc, '9/root/sys/fs/cgroup'));
    const { values } = await read({ proc, groups: [{ name: 'app', process: { command_line: 'app' } }] });
    expect(values).toEqual({ 'portico_app_cgroup_memory_bytes{group="app"}': '123' });
  });

  it('leaves out what is nonsense', async () => {
    const path = folderOf({
      'memory.current': 'x',
      'cpu.pressure': 'some avg10=x total=\n',
      'cpu.max': '',
      'cpu.stat': 'usage_usec -5',
    });
    expect((await read({ groups: [{ path }] })).values).toEqual({});
  });

  it('says once that there is nothing to read', async () => {
    const { values, lines } = await read({ groups: [{ path: join(folderOf(), 'missing') }] });
    expect(values).toEqual({});
    expect(lines).toEqual(['the control group cannot be read']);
  });
});
