import { describe, expect, it } from 'vitest';
import {
  beginsAsBefore,
  fingerprintOf,
  isFileOf,
  isSameNode,
  sourceKey,
  type FileNode,
} from '../../../../src/logs/input/identity.ts';

const node: FileNode = { device: '1', inode: '7', born: '100' };

describe('what is found at a path is the known file', () => {
  it('has no birth as long as nothing was written to it', () => {
    expect(isSameNode({ ...node, born: undefined }, node, false)).toBe(true);
  });

  it.each([
    ['with the same inode and birth', node, false, true],
    ['with another inode', { ...node, inode: '8' }, false, false],
    ['with the same inode on another device', { ...node, device: '2' }, false, false],
    ['with the same inode and another birth: the inode was used again', { ...node, born: '101' }, false, false],
    [
      'with another birth while it is open: an inode is not used again as long as somebody has it',
      { ...node, born: '101' },
      true,
      true,
    ],
    ['where the file system keeps no birth', { ...node, born: undefined }, false, true],
  ])('%s', (_what, found, open, same) => {
    expect(isSameNode(node, found, open)).toBe(same);
  });
});

describe('a file is the one whose position was kept', () => {
  const head = Buffer.from('first line\nsecond');
  const known = { fingerprint: fingerprintOf(head), born: '100' };

  it.each([
    ['when it begins as it did', known, node, 'first line\nsecond', true],
    ['when it has grown', known, node, 'first line\nsecond line\n', true],
    ['not when it is shorter', known, node, 'first line\n', false],
    ['not when it begins with other bytes', known, node, 'other line\nsecond', false],
    ['not when it was born at another time', known, { ...node, born: '101' }, 'first line\nsecond', false],
    ['when nobody knows when it was born', { ...known, born: undefined }, node, 'first line\nsecond', true],
    [
      'not when it was deleted: the inode is another file’s',
      { ...known, deleted: true },
      node,
      'first line\nsecond',
      false,
    ],
    ['when nothing was known of its beginning', { fingerprint: fingerprintOf(Buffer.alloc(0)) }, node, 'any', true],
  ])('%s', (_what, past, found, text, same) => {
    expect(isFileOf(past, found, Buffer.from(text))).toBe(same);
  });
});

describe('a file still begins as it did', () => {
  it.each([
    ['with the same first bytes', 'abc', 'abc', 10, 'xyz', true],
    ['with more of them', 'abc', 'abcdef', 3, 'def', true],
    ['not with fewer', 'abc', 'ab', 3, '', false],
    ['not with others', 'abc', 'abd', 3, '', false],
    ['when nothing was known, and the first piece is what it begins with', '', 'abc', 0, 'abc', true],
    ['not when the first piece was of other content', '', 'xbc', 0, 'abc', false],
    ['when more came after the first piece was read', '', 'abcdef', 0, 'abc', true],
  ])('%s', (_what, known, now, at, piece, same) => {
    expect(beginsAsBefore(Buffer.from(known), Buffer.from(now), at, Buffer.from(piece))).toBe(same);
  });
});

describe('the key of a file', () => {
  it('stays when the file grows beyond its first line', () => {
    expect(sourceKey(node, Buffer.from('one\n'), 0)).toBe(sourceKey(node, Buffer.from('one\ntwo\n'), 0));
  });

  it.each([
    ['inode', { ...node, inode: '8' }, 'one\n', 0],
    ['first line', node, 'two\n', 0],
    ['generation', node, 'one\n', 1],
  ])('is another one with another %s', (_what, other, head, generation) => {
    expect(sourceKey(other, Buffer.from(head), generation)).not.toBe(sourceKey(node, Buffer.from('one\n'), 0));
  });
});
