import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findFiles } from '../../../../src/logs/input/find-files.ts';
import { compileExclude, compileGlob } from '../../../../src/logs/input/glob.ts';

test.each([
  ['/var/log/app.log', '/var/log/app.log', true],
  ['/var/log/app.log', '/var/log/app.log.1', false],
  ['/var/log/*.log', '/var/log/app.log', true],
  ['/var/log/*.log', '/var/log/.app.log', false],
  ['/var/log/.*.log', '/var/log/.app.log', true],
  ['/var/log/*.log', '/var/log/sub/app.log', false],
  ['/var/log/**/*.log', '/var/log/app.log', true],
  ['/var/log/**/*.log', '/var/log/a/b/c/app.log', true],
  ['/var/log/**/*.log', '/var/log/.git/app.log', false],
  ['/var/log/**/x/*.log', '/var/log/a/x/x/app.log', true],
  ['/var/log/?.log', '/var/log/a.log', true],
  ['/var/log/?.log', '/var/log/ab.log', false],
  ['/var/log/[a-c]?.log', '/var/log/bx.log', true],
  ['/var/log/[!a-c]?.log', '/var/log/bx.log', false],
  ['/var/log/{app,web}-*.{log,txt}', '/var/log/web-1.txt', true],
  ['/var/log/{app,web}-*.{log,txt}', '/var/log/db-1.txt', false],
  ['/var/log/a+b(c).log', '/var/log/a+b(c).log', true],
  ['/*.log', '/a.log', true],
])('%s and %s: %s', (pattern, path, expected) => {
  expect(compileGlob(pattern).matches(path)).toBe(expected);
});

test.each([
  ['var/log/*.log', 'must be an absolute path'],
  ['/var/../etc/*.log', 'must not contain ..'],
  ['/var/log/**', 'must end with the name of a file, such as *.log'],
  ['/var/log/{a', 'has a { without a }'],
  ['/var/log/[a', 'has a [ without a ]'],
  ['/var/log/[z-a]', 'is not a pattern of names'],
])('%s is refused: %s', (pattern, message) => {
  expect(() => compileGlob(pattern)).toThrow(message);
});

test.each([
  ['*.gz', '/var/log/app.log.gz', true],
  ['*.gz', '/var/log/app.log', false],
  ['/var/log/debug/*', '/var/log/debug/x.log', true],
  ['/var/log/debug/*', '/var/log/x.log', false],
])('%s leaves out %s: %s', (pattern, path, expected) => {
  expect(compileExclude(pattern)(path)).toBe(expected);
});

test('finds files, and what links lead to, each once', async () => {
  const folder = folderOf(['a.log', 'sub/b.log', 'sub/deep/c.log', 'sub/c.txt', 'other/d.log', '.hidden/e.log']);
  symlinkSync(join(folder, 'sub'), join(folder, 'link'));
  symlinkSync(join(folder, 'other/d.log'), join(folder, 'd.log'));
  symlinkSync(join(folder, 'gone'), join(folder, 'dead.log'));
  symlinkSync(folder, join(folder, 'sub/round'));
  const names = async (patterns: string[], most = 100) => {
    const found = await findFiles(
      patterns.map((pattern) => compileGlob(`${folder}/${pattern}`)),
      compileExclude('b.*'),
      most,
    );
    return { names: found.paths.map((path) => path.slice(folder.length + 1)), more: found.more };
  };
  expect(await names(['*.log'])).toEqual({ names: ['a.log', 'd.log'], more: false });
  expect((await names(['**/*.log'])).names).toEqual(['a.log', 'd.log', 'other/d.log', 'sub/deep/c.log']);
  expect((await names(['link/*', 'sub/*'])).names).toEqual(['link/c.txt', 'sub/c.txt']);
  expect(await names(['**/*.log'], 2)).toEqual({ names: ['a.log', 'd.log'], more: true });
  expect((await names(['nowhere/*.log'])).names).toEqual([]);
});

function folderOf(files: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  return folder;
}
