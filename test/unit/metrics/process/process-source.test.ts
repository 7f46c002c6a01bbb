import { spawn } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createProcessSource, processSchema } from '../../../../src/metrics/process/index.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { samplesOf, sourceDeps } from '../../../support/source-deps.ts';

const stat = (pid: number, startTicks: number, state = 'S') =>
  `${pid} (a) ) b) ${state} 1 1 1 0 -1 4194304 102 0 0 0 250 50 7 7 20 0 3 0 ${startTicks} 3133440 381 184467\n`;

const processFiles = (pid: number, startTicks: number, command: string) => ({
  [`${pid}/stat`]: stat(pid, startTicks),
  [`${pid}/cmdline`]: `${command.replaceAll(' ', '\0')}\0`,
  [`${pid}/status`]:
    'Name:\tapp\nVmHWM:\t    2048 kB\nVmSize:\t   10240 kB\nVmRSS:\t    1024 kB\nThreads:\t3\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n',
  [`${pid}/io`]: 'rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n',
  [`${pid}/limits`]:
    'Limit  Soft  Hard  Units\nMax open files            1024                 4096                 files\n',
  [`${pid}/smaps_rollup`]: '559eadc79000-7fffd0387000 ---p 0 00:00 0  [rollup]\nRss:  1848 kB\nPss:    336 kB\n',
  [`${pid}/fd/0`]: '',
  [`${pid}/fd/1`]: '',
});

const machine = { stat: 'cpu 1 2\nbtime 1700000000\n' };

function source(proc: string, find: object, more: object = {}) {
  const deps = sourceDeps();
  const config = v.parse(processSchema, { proc, processes: [{ find, ...more }] });
  const created = createProcessSource(config, deps);
  return { deps, read: async () => samplesOf(await created.families(0)) };
}

describe('metrics of the process of the app', () => {
  it('says what the kernel says', async () => {
    const proc = folderOf({ ...machine, ...processFiles(77, 12345, 'node server.js --port 8080') });
    const { read } = source(proc, { command_line: 'node .*server\\.js.*' }, { proportional_memory: true });
    const p = '{process="app"}';
    expect(await read()).toEqual({
      [`portico_app_process_up${p}`]: '1',
      [`portico_app_process_cpu_seconds_total${p}`]: '3',
      [`portico_app_process_cpu_user_seconds_total${p}`]: '2.5',
      [`portico_app_process_cpu_system_seconds_total${p}`]: '0.5',
      [`portico_app_process_resident_memory_bytes${p}`]: '1048576',
      [`portico_app_process_resident_memory_max_bytes${p}`]: '2097152',
      [`portico_app_process_virtual_memory_bytes${p}`]: '10485760',
      [`portico_app_process_proportional_memory_bytes${p}`]: '344064',
      [`portico_app_process_open_fds${p}`]: '2',
      [`portico_app_process_max_fds${p}`]: '1024',
      [`portico_app_process_threads${p}`]: '3',
      [`portico_app_process_start_time_seconds${p}`]: '1700000123.45',
      'portico_app_process_context_switches_total{process="app",kind="voluntary"}': '5',
      'portico_app_process_context_switches_total{process="app",kind="involuntary"}': '6',
      [`portico_app_process_read_bytes_total${p}`]: '4096',
      [`portico_app_process_written_bytes_total${p}`]: '8192',
    });
  });

  it('takes the oldest of several that fit, and the next one when that has ended', async () => {
    const proc = folderOf({
      ...machine,
      ...processFiles(10, 300, 'app'),
      ...processFiles(9, 200, 'app'),
      ...processFiles(8, 100, 'other'),
    });
    const { read } = source(proc, { command_line: 'app' });
    const start = 'portico_app_process_start_time_seconds{process="app"}';
    expect((await read())[start]).toBe('1700000002');
    rmSync(join(proc, '9'), { recursive: true });
    expect((await read())[start]).toBe('1700000003');
  });

  it('notices that a number was given to another process', async () => {
    const proc = folderOf({ ...machine, ...processFiles(9, 200, 'app') });
    const { read } = source(proc, { command_line: 'app' });
    await read();
    writeFileSync(join(proc, '9/stat'), stat(9, 999));
    writeFileSync(join(proc, '9/cmdline'), 'other\0');
    expect(await read()).toEqual({ 'portico_app_process_up{process="app"}': '0' });
  });

  it('finds it by a file with its number', async () => {
    const proc = folderOf({ ...machine, ...processFiles(9, 200, 'app'), 'app.pid': '9\n' });
    const { read } = source(proc, { pid_file: join(proc, 'app.pid') });
    expect(await read()).toMatchObject({ 'portico_app_process_threads{process="app"}': '3' });
    writeFileSync(join(proc, 'app.pid'), 'nonsense');
    expect(await read()).toEqual({ 'portico_app_process_up{process="app"}': '0' });
  });

  it.each([
    ['tcp', '   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1213 1 0 100'],
    [
      'tcp6',
      '   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 1213 1 0 100',
    ],
  ])('finds it by the port that it listens on (%s)', async (table, line) => {
    const proc = folderOf({
      ...machine,
      ...processFiles(9, 200, 'app'),
      ...processFiles(8, 100, 'other'),
      [`net/${table}`]: `  sl  local_address rem_address   st\n${line}\n`,
    });
    symlinkSync('socket:[1213]', join(proc, '9/fd/5'));
    symlinkSync('socket:[77]', join(proc, '8/fd/5'));
    const { read } = source(proc, { listen_port: 8080 });
    expect(await read()).toMatchObject({ 'portico_app_process_start_time_seconds{process="app"}': '1700000002' });
  });

  it('leaves out what it cannot have, and is none the worse for a process that is half gone or dead', async () => {
    const proc = folderOf({
      '9/stat': stat(9, 5),
      '9/cmdline': 'app\0',
      '8/stat': stat(8, 1, 'Z'),
      '8/cmdline': 'app\0',
    });
    const { read } = source(proc, { command_line: 'app' });
    expect(Object.keys(await read())).toEqual([
      'portico_app_process_up{process="app"}',
      'portico_app_process_cpu_seconds_total{process="app"}',
      'portico_app_process_cpu_user_seconds_total{process="app"}',
      'portico_app_process_cpu_system_seconds_total{process="app"}',
    ]);
  });

  it('says once that it is not found', async () => {
    const { read, deps } = source(folderOf(machine), { command_line: 'app' });
    await read();
    await read();
    expect(deps.lines).toHaveLength(1);
  });

  it('measures a real process, which listens on a port', async () => {
    const child = spawn(
      process.execPath,
      ['-e', 'const s = require("net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const [port] = await Array.fromAsync(take(createInterface({ input: child.stdout }), 1));
    const { read } = source('/proc', { listen_port: Number(port) });
    const values = await read();
    const of = (name: string) => Number(values[`portico_app_process_${name}{process="app"}`]);
    expect(of('up')).toBe(1);
    expect(of('resident_memory_bytes')).toBeGreaterThan(10e6);
    expect(of('virtual_memory_bytes')).toBeGreaterThan(of('resident_memory_bytes'));
    expect(of('open_fds')).toBeGreaterThan(3);
    expect(of('max_fds')).toBeGreaterThan(of('open_fds'));
    expect(of('threads')).toBeGreaterThan(1);
    expect(Math.abs(of('start_time_seconds') - Date.now() / 1000)).toBeLessThan(120);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(await read()).toEqual({ 'portico_app_process_up{process="app"}': '0' });
  });
});

describe('the configuration of process metrics', () => {
  it.each([
    ['no way to find it', { processes: [{ find: {} }] }, /must have one of command_line/],
    ['two ways to find it', { processes: [{ find: { pid_file: '/a', listen_port: 1 } }] }, /must have one of/],
    [
      'the same name twice',
      { processes: [{ find: { listen_port: 1 } }, { find: { listen_port: 2 } }] },
      /names must differ/,
    ],
  ])('refuses %s', (_what, config, complaint) => {
    expect(() => v.parse(processSchema, config)).toThrow(complaint);
  });

  it('looks for whoever listens on port 8080 unless told otherwise', () => {
    expect(v.parse(processSchema, {}).processes).toEqual([
      { name: 'app', find: { listen_port: 8080 }, proportional_memory: false },
    ]);
  });
});

async function* take<T>(items: AsyncIterable<T>, count: number): AsyncIterable<T> {
  if (count === 0) return;
  for await (const item of items) {
    yield item;
    if (--count === 0) return;
  }
}
