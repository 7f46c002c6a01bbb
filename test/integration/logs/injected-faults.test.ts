import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCheckpoint } from '../../../src/logs/checkpoint.ts';
import { bulkStore, logsHome, messagesIn, toStore } from '../../support/logs-role.ts';
import { judge, logWriter } from '../../support/log-writer.ts';
import { until } from '../../support/logs.ts';

/** What goes before a command that meets faults. -D: strace is the child of what it traces, so that signals reach that. */
function strace(...faults: string[]): [command: string, ...args: string[]] {
  return ['strace', '-D', '-f', '-qq', '-o', '/dev/null', ...faults];
}

const { status } = spawnSync('strace', ['-qq', '-e', 'trace=fsync', 'true']);
if (status !== 0) process.stderr.write('strace cannot be used here: faults of the disk are NOT tested\n');

/** Faults of system calls while the checkpoint is written, by strace(1). Opens and writes are those of the checkpoint alone. */
test.skipIf(status !== 0).each([
  { what: 'one fsync fails', fault: 'fsync:error=EIO:when=3', says: /cannot write the checkpoint.*/ },
  { what: 'every other fsync fails', fault: 'fsync:error=EIO:when=2+2', says: /cannot write the checkpoint/ },
  { what: 'renaming fails for a while', fault: 'rename:error=ENOSPC:when=2..6', says: /cannot write the checkpoint/ },
  { what: 'no fsync ever works', fault: 'fsync:error=ENOSPC:when=2+', says: /cannot write the checkpoint/ },
])(
  '$what: shipping goes on, and after a restart nothing is missing',
  async ({ fault, says }) => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const writer = logWriter(home.log('app.log'));
    writer.write(100);
    const wrapper = strace('-e', `trace=${fault.split(':')[0]}`, '-e', `inject=${fault}`);
    const portico = await home.start({ wrapper });
    const told = portico.says(says);
    for (let batch = 1; batch <= 5; batch++) {
      writer.write(100);
      await until(() => expect(store.documents.size).toBe(writer.written));
    }
    await told;
    portico.child.kill('SIGKILL');
    await portico.exited;
    // What there is of a checkpoint is a whole one; it may be the first, from before anything had arrived.
    const written = readFileSync(join(home.folder, 'state/checkpoint.json'), 'utf8');
    expect(() => readCheckpoint(written)).not.toThrow();
    writer.write(100);
    const again = await home.start();
    await until(() => expect(store.documents.size).toBe(writer.written));
    expect(judge(messagesIn(store), writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
    expect(again.output()).not.toContain('the checkpoint cannot be used');
    expect(await again.terminate()).toBe(0);
  },
  90_000,
);

test.skipIf(status !== 0)(
  'a file that cannot be read for a while is read when it can be',
  async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const portico = await home.start({
      // strace counts by thread; one thread for files, so that there are three failures in all.
      env: { UV_THREADPOOL_SIZE: '1' },
      wrapper: strace('-P', home.log('app.log'), '-e', 'inject=openat:error=EACCES:when=1..3'),
    });
    writeFileSync(home.log('app.log'), 'one\n');
    await until(() => expect(messagesIn(store)).toEqual(['one']));
    expect(await portico.admin('/metrics')).toMatch(/portico_logs_file_errors_total\{.*code="EACCES".*\} [1-9]/);
    expect(await portico.terminate()).toBe(0);
  },
  60_000,
);
