import {
  access,
  chmod,
  chown,
  constants,
  lstat,
  open,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';

/** Where a file cannot be replaced, but perhaps written: a folder of somebody else's, or a file that is a mount of its own. */
const notReplaceable = ['EACCES', 'EPERM', 'EBUSY', 'EROFS', 'EXDEV'];

/**
 * Gives a file another text in one step: whoever reads it, and whoever looks after a crash, finds the old text or the new one. Mode and,
 * as far as this user may, owner stay; the file that a link points to is replaced, and not the link. Pipes and devices are written to,
 * and so are files in folders where nothing can be made.
 * @throws Error of the file system; the old text is still there then, except where it had to be written in place
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  const before = await stat(file).catch(absent);
  const isLink = before === undefined && (await lstat(file).catch(absent)) !== undefined;
  // A link to nothing makes what it points to.
  if (isLink || before?.isFile() === false) return writeFile(file, text);
  const target = before === undefined ? file : await realpath(file);
  // Replacing asks the folder only; a file that nobody may write to stays what it is.
  if (before !== undefined) await access(target, constants.W_OK);
  const draft = `${target}.${process.pid}.tmp`;
  const handle = await open(draft, 'wx').catch(notMade);
  if (handle === undefined) return writeFile(file, text);
  try {
    await writeDraft(handle, text);
    if (before !== undefined) {
      // The umask may have taken away more than was meant. Changing the owner may take away bits of the mode, so it goes first.
      await chown(draft, before.uid, before.gid).catch(() => {});
      await chmod(draft, before.mode & 0o7777);
    }
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    notMade(error);
    await writeFile(file, text);
  }
}

/** On the disk before it has a name that somebody knows. */
async function writeDraft(handle: FileHandle, text: string): Promise<void> {
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @throws what does not say that files cannot be replaced here */
function notMade(error: unknown): undefined {
  if (notReplaceable.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
  throw error;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
