import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createProcessLog, type ProcessLogOptions } from '../../src/process-log.ts';

function start(options: Partial<ProcessLogOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-log-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  onTestFinished(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const log = createProcessLog({ level: 'info', format: 'json', fd, ...options });
  const written = async () => {
    await log.flush();
    return readFileSync(path, 'utf8');
  };
  const records = async () =>
    (await written())
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, written, records };
}

describe('the process log as JSON', () => {
  it('writes a line with time, level, message and fields', async () => {
    const { log, records } = start();
    log.info('listening', { address: '127.0.0.1:80', count: 2 });
    const [record] = await records();
    expect(record).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      address: '127.0.0.1:80',
      count: 2,
      msg: 'listening',
    });
  });

  it('keeps the order and the name of children', async () => {
    const { log, records } = start();
    log.warn('one');
    log.child('admin').error('two');
    log.info('three');
    expect((await records()).map(({ level, logger, msg }) => [level, logger, msg])).toEqual([
      ['warn', undefined, 'one'],
      ['error', 'admin', 'two'],
      ['info', undefined, 'three'],
    ]);
  });

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['off', []],
  ] as const)('at level %s writes %j', async (level, expected) => {
    const { log, records } = start({ level });
    for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each](each);
    expect((await records()).map(({ msg }) => msg)).toEqual(expected);
  });

  it('changes the level of children that exist already', async () => {
    const { log, records } = start();
    const child = log.child('admin');
    child.debug('before');
    log.level = 'debug';
    child.debug('after');
    expect(child.level).toBe('debug');
    expect((await records()).map(({ msg }) => msg)).toEqual(['after']);
  });

  it('shows errors with their stack', async () => {
    const { log, records } = start();
    log.error('failed', { error: new TypeError('no') });
    expect((await records())[0]).toMatchObject({
      error: { type: 'TypeError', message: 'no', stack: expect.stringContaining('process-log.test') as string },
    });
  });

  it('does not write a name twice', async () => {
    const { log, records } = start();
    log.info('right', { msg: 'wrong', level: 'wrong', time: 'wrong', a: 1 });
    expect((await records())[0]).toMatchObject({ msg: 'right', level: 'info', msg_: 'wrong', level_: 'wrong', a: 1 });
  });

  it.each<[string, Record<string, unknown>]>([
    [
      'throws when it is written',
      {
        bad: {
          toJSON: () => {
            throw new Error('no');
          },
        },
      },
    ],
    ['is a big integer', { bad: 10n }],
    ['is a function', { bad: () => {} }],
    [
      'throws when it is read',
      Object.defineProperty({}, 'bad', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('does not throw when a field %s', async (_, fields) => {
    const { log, records } = start();
    log.info('still here', fields);
    expect((await records())[0]).toMatchObject({ msg: 'still here' });
  });

  it('does not throw for a circle', async () => {
    const { log, records } = start();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    log.info('round', { circle });
    expect((await records())[0]).toMatchObject({ msg: 'round' });
  });

  it('writes what waits when the process is about to end', () => {
    const { log } = start();
    const file = join(mkdtempSync(join(tmpdir(), 'portico-log-')), 'log');
    onTestFinished(() => rmSync(join(file, '..'), { recursive: true }));
    log.flushNow();
    const script = `import { createProcessLog } from ${JSON.stringify(new URL('../../src/process-log.ts', import.meta.url).href)};
      const log = createProcessLog({ level: 'info', format: 'json' });
      for (let i = 0; i < 100; i++) log.info('line ' + i);
      log.flushNow();
      process.exit(0);`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', openSync(file, 'w')],
    });
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(new Set(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).size).toBe(100);
  });
});

describe('the process log as text for people', () => {
  it('writes one readable line', async () => {
    const { log, written } = start({ format: 'pretty' });
    log.child('admin').warn('not ready', { address: '127.0.0.1:80', why: 'no app', list: [1, 2] });
    expect(await written()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}admin: not ready address=127\.0\.0\.1:80 why="no app" list=\[1,2\]\n$/,
    );
  });

  it('shows the message and the place of an error', async () => {
    const { log, written } = start({ format: 'pretty' });
    log.error('failed', { error: new Error('no such key') });
    expect(await written()).toMatch(/ERROR failed error="no such key" \(\/.*process-log\.test\.ts:\d+:\d+\)\n$/);
  });

  it('lets nobody forge a line or move the cursor', async () => {
    const { log, written } = start({ format: 'pretty' });
    log.info('a\nb\x1b[2Jc', { field: 'x\r\ny\u2028z' });
    const text = await written();
    expect(text.split('\n')).toHaveLength(2);
    expect(text).not.toMatch(/[\x1b\r\u2028]/);
  });

  it('has colours when asked', async () => {
    const { log, written } = start({ format: 'pretty', colour: true });
    log.error('red');
    expect(await written()).toContain('\x1b[31mERROR\x1b[39m');
  });
});

describe('a reader that does not read', () => {
  it('costs lines, which are counted, but neither time nor memory', async () => {
    const script = `import { createProcessLog } from ${JSON.stringify(new URL('../../src/process-log.ts', import.meta.url).href)};
      let told = 0;
      const log = createProcessLog({ level: 'info', format: 'json', onDrop: () => told++ });
      const text = 'x'.repeat(1000);
      const before = performance.now();
      for (let i = 0; i < 10_000; i++) log.info(text);
      const spent = performance.now() - before;
      const flushing = performance.now();
      await log.flush(100);
      process.stdout.write(JSON.stringify({ dropped: log.dropped, told, spent, flushed: performance.now() - flushing }));
      process.stdout.once('drain', () => {});`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stderr.pause();
    const [output] = (await once(child.stdout, 'data')) as [Buffer];
    const result = JSON.parse(output.toString()) as { dropped: number; told: number; spent: number; flushed: number };
    expect(result.dropped).toBeGreaterThan(8000);
    expect(result.told).toBe(result.dropped);
    expect(result.spent).toBeLessThan(3000);
    expect(result.flushed).toBeLessThan(2000);
  });

  it('that has left does not end the process', async () => {
    const script = `import { createProcessLog } from ${JSON.stringify(new URL('../../src/process-log.ts', import.meta.url).href)};
      const log = createProcessLog({ level: 'info', format: 'json' });
      process.stdin.once('data', async () => {
        for (let i = 0; i < 10; i++) { log.info('into the void'); await log.flush(50); }
        log.flushNow();
        process.stdout.write('alive');
        process.exit(0);
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stderr.destroy();
    await once(child.stderr, 'close');
    child.stdin.write('go\n');
    const [output] = (await once(child.stdout, 'data')) as [Buffer];
    expect(output.toString()).toBe('alive');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
