/**
 * A file system in memory that writes down every operation, so that a power loss can be tried at each of them.
 *
 * It behaves as Linux does towards whoever uses it; what would be left of it after a power loss is for crash-states.ts.
 */

import { constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { FileHandle, FileStat, FileSystem, FolderEntry } from '@streamweld/file';
import { systemError } from '../file-layer.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly ino: number;
  readonly mode: number;
  bytes: Uint8Array;
  mtimeMs: number;
}

export interface FolderNode {
  readonly kind: 'folder';
  readonly ino: number;
  readonly mode: number;
  readonly names: Map<string, Node>;
}

export type Node = FileNode | FolderNode;

/** One name in one folder: what it means from now on. */
export interface NameChange {
  readonly folder: FolderNode;
  readonly name: string;
  readonly node: Node | undefined;
}

/** What was done, in its order. */
export type Operation =
  | { readonly kind: 'write'; readonly file: FileNode; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly file: FileNode; readonly length: number }
  | { readonly kind: 'sync'; readonly node: Node }
  /** Create, make a folder, unlink: one change. Rename: the new name, then the old one. */
  | { readonly kind: 'name'; readonly changes: readonly NameChange[] }
  /** A remark of the test's own. */
  | { readonly kind: 'note'; readonly note: unknown };

export class MemoryDisk implements FileSystem {
  readonly root: FolderNode;
  readonly log: Operation[] = [];
  #lastIno: number;
  #clock = 0;

  constructor(root: FolderNode = { kind: 'folder', ino: 1, mode: 0o755, names: new Map() }) {
    this.root = root;
    this.#lastIno = highestIno(root);
  }

  note(note: unknown): void {
    this.log.push({ kind: 'note', note });
  }

  /** What is there now, as paths; a test's own look, which is not written down. */
  contents(): ReadonlyMap<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    const walk = (folder: FolderNode, path: string): void => {
      for (const [name, node] of folder.names) {
        if (node.kind === 'file') found.set(`${path}/${name}`, node.bytes);
        else walk(node, `${path}/${name}`);
      }
    };
    walk(this.root, '');
    return found;
  }

  /** Puts a file there that has always been there. */
  place(path: string, bytes: Uint8Array): void {
    let folder = this.root;
    const parts = resolve(path).split('/').filter(Boolean);
    const name = parts.pop() ?? '';
    for (const part of parts) {
      const next = folder.names.get(part) ?? this.#newFolder();
      if (next.kind === 'file') throw systemError('ENOTDIR');
      folder.names.set(part, next);
      folder = next;
    }
    folder.names.set(name, { ...this.#newFile(0o644), bytes });
  }

  async open(path: string, flags: string | number, mode = 0o666): Promise<FileHandle> {
    const wants = parseFlags(flags);
    const { folder, name, node } = this.#find(path);
    if (wants.exclusive && node !== undefined) throw systemError('EEXIST');
    if (node?.kind === 'folder') {
      if (wants.write) throw systemError('EISDIR');
      return this.#handle(node);
    }
    if (node === undefined) {
      if (!wants.create) throw systemError('ENOENT');
      const file = this.#newFile(mode);
      this.#change([{ folder, name, node: file }]);
      return this.#handle(file, wants.append);
    }
    if (wants.truncate) this.#truncate(node, 0);
    return this.#handle(node, wants.append);
  }

  async stat(path: string): Promise<FileStat> {
    return statOf(this.#existing(path));
  }

  async lstat(path: string): Promise<FileStat> {
    return statOf(this.#existing(path));
  }

  async realpath(path: string): Promise<string> {
    this.#existing(path);
    return resolve(path);
  }

  async readFile(path: string): Promise<Buffer> {
    const node = this.#existing(path);
    if (node.kind === 'folder') throw systemError('EISDIR');
    return Buffer.from(node.bytes);
  }

  async readdir(path: string): Promise<FolderEntry[]> {
    const folder = this.#existing(path);
    if (folder.kind === 'file') throw systemError('ENOTDIR');
    return [...folder.names].map(([name, node]) => ({
      name,
      isFile: () => node.kind === 'file',
      isDirectory: () => node.kind === 'folder',
      isSymbolicLink: () => false,
    }));
  }

  async mkdir(path: string): Promise<string | undefined> {
    const { folder, name, node } = this.#find(path, true);
    if (node?.kind === 'folder') return undefined;
    if (node !== undefined) throw systemError('EEXIST');
    const above = folder === undefined ? await this.mkdir(dirname(resolve(path))) : undefined;
    const parent = folder ?? (this.#existing(dirname(resolve(path))) as FolderNode);
    this.#change([{ folder: parent, name, node: this.#newFolder() }]);
    return above ?? resolve(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const old = this.#find(from);
    const target = this.#find(to);
    if (old.node === undefined) throw systemError('ENOENT');
    if (target.node?.kind === 'folder') throw systemError('EISDIR');
    if (target.node === old.node) return;
    this.#change([
      { folder: target.folder, name: target.name, node: old.node },
      { folder: old.folder, name: old.name, node: undefined },
    ]);
  }

  async link(existing: string, path: string): Promise<void> {
    const node = this.#existing(existing);
    const target = this.#find(path);
    if (target.node !== undefined) throw systemError('EEXIST');
    this.#change([{ folder: target.folder, name: target.name, node }]);
  }

  async unlink(path: string): Promise<void> {
    const { folder, name, node } = this.#find(path);
    if (node === undefined) throw systemError('ENOENT');
    if (node.kind === 'folder') throw systemError('EISDIR');
    this.#change([{ folder, name, node: undefined }]);
  }

  #existing(path: string): Node {
    if (resolve(path) === '/') return this.root;
    const { node } = this.#find(path);
    if (node === undefined) throw systemError('ENOENT');
    return node;
  }

  #find(path: string): { folder: FolderNode; name: string; node: Node | undefined };
  #find(
    path: string,
    mayMiss: true,
  ): { folder: FolderNode | undefined; name: string; node: Node | undefined };
  #find(
    path: string,
    mayMiss = false,
  ): { folder: FolderNode | undefined; name: string; node: Node | undefined } {
    const parts = resolve(path).split('/').filter(Boolean);
    const name = parts.pop();
    if (name === undefined) return { folder: this.root, name: '.', node: this.root };
    let folder = this.root;
    for (const part of parts) {
      const next = folder.names.get(part);
      if (next?.kind === 'file') throw systemError('ENOTDIR');
      if (next === undefined && mayMiss) return { folder: undefined, name, node: undefined };
      if (next === undefined) throw systemError('ENOENT');
      folder = next;
    }
    return { folder, name, node: folder.names.get(name) };
  }

  #newFile(mode: number): FileNode {
    return { kind: 'file', ino: ++this.#lastIno, mode, bytes: new Uint8Array(0), mtimeMs: 0 };
  }

  #newFolder(): FolderNode {
    return { kind: 'folder', ino: ++this.#lastIno, mode: 0o755, names: new Map() };
  }

  #change(changes: readonly NameChange[]): void {
    this.log.push({ kind: 'name', changes });
    for (const { folder, name, node } of changes) {
      if (node === undefined) folder.names.delete(name);
      else folder.names.set(name, node);
    }
  }

  #truncate(file: FileNode, length: number): void {
    if (file.bytes.length === length) return;
    this.log.push({ kind: 'truncate', file, length });
    file.bytes = resized(file.bytes, length);
    file.mtimeMs = ++this.#clock;
  }

  #write(file: FileNode, bytes: Uint8Array, at: number): void {
    this.log.push({ kind: 'write', file, at, bytes });
    const end = at + bytes.length;
    const grown = end > file.bytes.length ? resized(file.bytes, end) : file.bytes.slice();
    grown.set(bytes, at);
    file.bytes = grown;
    file.mtimeMs = ++this.#clock;
  }

  #handle(node: Node, isAppending = false): FileHandle & { readFile(): Promise<Buffer> } {
    let isOpen = true;
    let readTo = 0;
    const file = (): FileNode => {
      if (!isOpen) throw systemError('EBADF');
      if (node.kind === 'folder') throw systemError('EISDIR');
      return node;
    };
    const sync = async (): Promise<void> => {
      if (!isOpen) throw systemError('EBADF');
      this.log.push({ kind: 'sync', node });
    };
    return {
      read: async (buffer, offset, length, position) => {
        const at = position ?? readTo;
        const part = file().bytes.subarray(at, at + length);
        buffer.set(part, offset);
        if (position === null) readTo += part.length;
        return { bytesRead: part.length };
      },
      write: async (buffer, offset, length, position) => {
        const at = isAppending ? file().bytes.length : position;
        this.#write(file(), buffer.slice(offset, offset + length), at);
        return { bytesWritten: length };
      },
      readFile: async () => Buffer.from(file().bytes),
      stat: async () => statOf(node),
      truncate: async (length) => this.#truncate(file(), length),
      chmod: async () => {},
      datasync: sync,
      sync,
      close: async () => {
        isOpen = false;
      },
    };
  }
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}

function statOf(node: Node): FileStat {
  return {
    size: node.kind === 'file' ? node.bytes.length : 0,
    dev: 1,
    ino: node.ino,
    mode: node.mode,
    mtimeMs: node.kind === 'file' ? node.mtimeMs : 0,
    isFile: () => node.kind === 'file',
    isDirectory: () => node.kind === 'folder',
    isFIFO: () => false,
  };
}

function highestIno(folder: FolderNode): number {
  return Math.max(
    folder.ino,
    ...[...folder.names.values()].map((node) => (node.kind === 'file' ? node.ino : highestIno(node))),
  );
}

interface Wants {
  readonly write: boolean;
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
  readonly append: boolean;
}

function parseFlags(flags: string | number): Wants {
  if (typeof flags === 'string') {
    const isNew = flags.startsWith('w') || flags.startsWith('a');
    return {
      write: flags !== 'r',
      create: isNew,
      exclusive: flags.includes('x'),
      truncate: flags.startsWith('w'),
      append: flags.startsWith('a'),
    };
  }
  return {
    write: (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0,
    create: (flags & constants.O_CREAT) !== 0,
    exclusive: (flags & constants.O_EXCL) !== 0,
    truncate: (flags & constants.O_TRUNC) !== 0,
    append: (flags & constants.O_APPEND) !== 0,
  };
}
