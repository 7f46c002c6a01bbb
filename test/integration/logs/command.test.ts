import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { kill } from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { startLinesServer, type MessageStore } from '../../support/log-stores.ts';
import { logFolder, until } from '../../support/logs.ts';
import { runPortico } from '../../support/process.ts';

async function startSink(): Promise<MessageStore> {
  const sink = await startLinesServer();
  onTestFinished(() => sink.close());
  return sink;
}

function configure(folder: string, port: number, drainTime = '10s'): string {
  const file = join(folder, 'logs.yaml');
  writeFileSync(
    file,
    `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/*.log'], parser: { type: none } }]
follow: { poll_interval: 20ms, discover_interval: 50ms }
state: { folder: '${folder}/state', checkpoint_interval: 20ms }
batch: { max_wait: 20ms }
retry: { base_interval: 50ms, max_interval: 200ms }
drain: { drain_time: ${drainTime} }
output: { kind: http, endpoints: ['http://127.0.0.1:${port}/lines'] }
reload: { watch: false }
`,
  );
  return file;
}

test('ships, and at SIGTERM what was written last, without its line end as well', async () => {
  const folder = logFolder();
  const sink = await startSink();
  const log = join(folder, 'app.log');
  writeFileSync(log, 'one\n');
  const portico = runPortico(['logs', '-c', configure(folder, sink.port)]);
  await until(() => expect(sink.messages).toEqual(['one']));
  appendFileSync(log, 'two\nlast words');
  portico.child.kill('SIGTERM');
  expect(await portico.exited).toBe(0);
  expect(sink.messages).toEqual(['one', 'two', 'last words']);
  expect(portico.output()).toContain('everything is shipped');
});

test('a store that is away: the exit code and the log tell what is left, and the next start ships it', async () => {
  const folder = logFolder();
  const sink = await startSink();
  await sink.down();
  writeFileSync(join(folder, 'app.log'), 'one\ntwo\n');
  const first = runPortico(['logs', '-c', configure(folder, sink.port, '500ms')]);
  await first.says(/the store cannot be reached/);
  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(1);
  expect(first.output()).toMatch(/"files":1,"bytes":8/);
  await sink.up();
  runPortico(['logs', '-c', configure(folder, sink.port)]);
  await until(() => expect(sink.messages).toEqual(['one', 'two']));
});

test('a reload with another output: line 1 to the old one, line 2 to the new one', async () => {
  const folder = logFolder();
  const [before, after] = [await startSink(), await startSink()];
  const log = join(folder, 'app.log');
  writeFileSync(log, 'line 1\n');
  const portico = runPortico(['logs', '-c', configure(folder, before.port)]);
  await until(() => expect(before.messages).toEqual(['line 1']));
  configure(folder, after.port);
  portico.child.kill('SIGHUP');
  await portico.says(/configuration reloaded/);
  appendFileSync(log, 'line 2\n');
  await until(() => expect(after.messages).toEqual(['line 2']));
  expect(before.messages).toEqual(['line 1']);
});

test('a second one with the same state folder refuses to start, and a crash leaves no lock', async () => {
  const folder = logFolder();
  const sink = await startSink();
  const file = configure(folder, sink.port);
  const first = runPortico(['logs', '-c', file]);
  await first.says(/running/);
  const second = runPortico(['logs', '-c', file]);
  expect(await second.exited).toBe(1);
  expect(second.output()).toMatch(/is in use by another portico logs \(process \d+\)/);
  first.child.kill('SIGKILL');
  await first.exited;
  const third = runPortico(['logs', '-c', file]);
  await third.says(/running/);
});

test('a checkpoint that is damaged is set aside, and all is shipped from the beginning', async () => {
  const folder = logFolder();
  const sink = await startSink();
  writeFileSync(join(folder, 'app.log'), 'one\n');
  writeFileSync(
    join(folder, 'state/checkpoint.json'),
    '{"kind":"portico logs checkpoint","version":1,"sha256":"x"}\n[]\n',
  );
  const portico = runPortico(['logs', '-c', configure(folder, sink.port)]);
  await until(() => expect(sink.messages).toEqual(['one']));
  expect(portico.output()).toMatch(/its checksum does not match/);
});

const strace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;
if (!strace) console.warn('strace cannot be used here: faults of the file system are not tested');

test.skipIf(!strace).each(['fsync:error=EIO:when=3+', 'rename:error=ENOSPC', 'fsync:error=EIO:when=3'])(
  'a file system that fails with %s is told, and shipping goes on',
  async (fault) => {
    const folder = logFolder();
    const sink = await startSink();
    const log = join(folder, 'app.log');
    writeFileSync(log, '0\n');
    const portico = runPortico(['logs', '-c', configure(folder, sink.port)], {
      wrapper: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${fault}`],
    });
    for (let line = 1; line <= 5; line++) {
      await until(() => expect(sink.messages.at(-1)).toBe(String(line - 1)));
      appendFileSync(log, `${line}\n`);
    }
    await portico.says(/cannot write the checkpoint/);
    await until(() => expect(sink.messages).toEqual(['0', '1', '2', '3', '4', '5']));
    // The one that is traced: strace ends with it, and not the other way round.
    kill(childOf(portico.child.pid!), 'SIGKILL');
    await portico.exited;
    const again = runPortico(['logs', '-c', configure(folder, sink.port)]);
    await again.says(/running/);
    appendFileSync(log, 'last\n');
    await until(() => expect(sink.messages.at(-1)).toBe('last'));
    expect(again.output()).not.toMatch(/checkpoint cannot be used/);
  },
  60_000,
);

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}
