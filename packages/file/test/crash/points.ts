/**
 * Points at which a process can be killed: every operation on a file, by what kind of file it is, before and after it,
 * and half-way through a write. `data.write.half`, `ledger.sync.after`, `store.rename.before`, `folder.sync.before`.
 *
 * They are made by wrapping the file layer: there is nothing of it in the product.
 */

import { basename } from 'node:path';
import type { FileHandle, FileSystem } from '@streamweld/file';

/** `half` is done by whoever reaches it: it answers `true` where the first half of the write is to be all. */
export type Reach = (point: string) => boolean;

/** What kind of file it is, by its name. */
function kindOf(path: string, isFolder: boolean): string {
  const name = basename(path);
  const isStore = path.includes('/checkpoints');
  if (isFolder) return isStore ? 'store-folder' : 'folder';
  if (isStore) return name.endsWith('.tmp') ? 'store-temporary' : 'store';
  if (name.includes('.lock')) return 'lock';
  if (name.endsWith('.ledger.tmp')) return 'ledger-temporary';
  if (name.endsWith('.ledger')) return 'ledger';
  if (name.endsWith('.tmp')) return 'temporary';
  if (name.startsWith('in.')) return 'input';
  return name.startsWith('bad.') ? 'dead-letter' : 'data';
}

export function withPoints(fs: FileSystem, reach: Reach): FileSystem {
  const around = async <R>(point: string, action: () => Promise<R>): Promise<R> => {
    reach(`${point}.before`);
    const result = await action();
    reach(`${point}.after`);
    return result;
  };
  const { symlink, readlink, watchFolder } = fs;
  return {
    open: async (path, flags, mode) => {
      const isFolder = await isFolderAt(fs, path);
      const kind = kindOf(path, isFolder);
      // Opening what is there and is only read has no effect that could be half done.
      const isChange = typeof flags === 'string' ? flags !== 'r' : (flags & 3) !== 0;
      const open = (): Promise<FileHandle> => fs.open(path, flags, mode);
      const opening = typeof flags === 'string' && /[wax]/.test(flags) ? 'create' : 'open';
      const handle = isChange ? await around(`${kind}.${opening}`, open) : await open();
      return pointed(handle, kind, reach, around);
    },
    stat: (path) => fs.stat(path),
    readdir: (path, options) => fs.readdir(path, options),
    mkdir: (path, options) => around(`${kindOf(path, true)}.make`, () => fs.mkdir(path, options)),
    rename: (from, to) => around(`${kindOf(to, false)}.rename`, () => fs.rename(from, to)),
    unlink: (path) => around(`${kindOf(path, false)}.unlink`, () => fs.unlink(path)),
    ...(symlink && {
      symlink: (target, path) => around(`${kindOf(path, false)}.create`, () => symlink(target, path)),
    }),
    ...(readlink && { readlink: (path) => readlink(path) }),
    ...(watchFolder && { watchFolder: (folder, onChange) => watchFolder(folder, onChange) }),
  };
}

function pointed(
  handle: FileHandle,
  kind: string,
  reach: Reach,
  around: <R>(point: string, action: () => Promise<R>) => Promise<R>,
): FileHandle {
  return {
    read: (buffer, offset, length, position) => handle.read(buffer, offset, length, position),
    write: (buffer, offset, length, position) =>
      around(`${kind}.write`, async () => {
        if (length > 1 && reach(`${kind}.write.half`)) {
          await handle.write(buffer, offset, length >> 1, position);
          process.kill(process.pid, 'SIGKILL');
        }
        return handle.write(buffer, offset, length, position);
      }),
    stat: () => handle.stat(),
    truncate: (length) => around(`${kind}.truncate`, () => handle.truncate(length)),
    chmod: (mode) => around(`${kind}.chmod`, () => handle.chmod(mode)),
    datasync: () => around(`${kind}.sync`, () => handle.datasync()),
    sync: () => around(`${kind}.sync`, () => handle.sync()),
    close: () => handle.close(),
  };
}

async function isFolderAt(fs: FileSystem, path: string): Promise<boolean> {
  return fs.stat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
}
