import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeKey, nodeOf, type FileNode } from './identity.ts';

/** Names of a folder that are looked at to find a file that has moved. */
const mostSiblings = 10_000;

/** The path in a folder of a file that has another name by now. @throws the error of the file system for the folder */
export async function findNode(folder: string, node: Pick<FileNode, 'device' | 'inode'>): Promise<string | undefined> {
  const wanted = nodeKey(node);
  for (const name of (await readdir(folder)).slice(0, mostSiblings)) {
    const path = join(folder, name);
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (found?.isFile() === true && nodeKey(nodeOf(found)) === wanted) return path;
  }
  return undefined;
}
