import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replaceFile } from '../../../src/files/replace-file.ts';
import { folderOf } from '../../support/folder-of.ts';

describe('a file that is replaced', () => {
  it('is another file with the mode of the old one, and nothing is left beside it', async () => {
    const folder = folderOf();
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'old');
    chmodSync(file, 0o646);
    const before = statSync(file);
    await replaceFile(file, 'new');
    const after = statSync(file);
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(after.mode).toBe(before.mode);
    expect(after.ino).not.toBe(before.ino);
    expect(readdirSync(folder)).toEqual(['a.yaml']);
  });

  it('may be new', async () => {
    const file = join(folderOf(), 'a.yaml');
    await replaceFile(file, 'new');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it.each([
    ['a file', 'old'],
    ['nothing yet', undefined],
  ])('may be a link to %s, and stays one', async (_what, text) => {
    const folder = folderOf();
    const [file, link] = [join(folder, 'a.yaml'), join(folder, 'link.yaml')];
    if (text !== undefined) writeFileSync(file, text);
    symlinkSync('a.yaml', link);
    await replaceFile(link, 'new');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(readdirSync(folder).sort()).toEqual(['a.yaml', 'link.yaml']);
  });

  it('may be a device, which is written to', async () => {
    await replaceFile('/dev/null', 'new');
    expect(statSync('/dev/null').isFile()).toBe(false);
  });

  it('must be in a folder that is there', async () => {
    await expect(replaceFile(join(folderOf(), 'missing', 'a.yaml'), 'new')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('stays what it was when the draft cannot be written', async () => {
    const file = join(folderOf(), 'a.yaml');
    writeFileSync(file, 'old');
    // Somebody else's file in the place of the draft.
    writeFileSync(`${file}.${process.pid}.tmp`, '');
    await expect(replaceFile(file, 'new')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(file, 'utf8')).toBe('old');
  });
});
