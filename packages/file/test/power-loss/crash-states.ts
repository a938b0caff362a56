/**
 * What a disk may hold after a power loss, from the operations that went before it.
 *
 * The model is meant to be worse than any real file system ("All File Systems Are Not Created Equal", OSDI '14):
 *
 * - What was written is lost unless its file was synced afterwards. Unsynced writes survive in pieces of a sector, or of
 *   some bytes within one, each piece or not, whatever their order; so do truncations.
 * - The size is kept apart from the content: a file may have any size it had since it was synced, with zeros or garbage
 *   where no piece came.
 * - A name (created, renamed, removed) is lost unless its folder was synced afterwards: syncing a file does not keep its
 *   name. Each unsynced name is at any point of its own history, independent of all others.
 * - One thing is promised: a rename never loses the file. Where the old name is gone, the new one is there. Both may be.
 * - A folder whose name is lost is lost with all in it.
 */

import { createHash } from 'node:crypto';
import type { Chance } from './chance.ts';
import type { FileNode, FolderNode, NameChange, Node, Operation } from './memory-disk.ts';

const SECTOR = 512;

type DataOperation = Extract<Operation, { kind: 'write' | 'truncate' }>;

/** Rename: the change of the old name, and that of the new one, which it needs. */
interface PendingName extends NameChange {
  readonly needs: PendingName | undefined;
}

/** How the pieces of a state are chosen. */
export interface Choice {
  /** Whether the next unsynced piece of data survives. */
  piece(): boolean;
  /** How many bytes at the beginning of this piece do, where it survives. */
  tear(length: number): number;
  /** How far in its own history a name is, of so many changes. */
  names(changes: number): number;
  /** Which of these sizes a file has. */
  size(sizes: readonly number[]): number;
  readonly fill: number;
}

const last = (sizes: readonly number[]): number => sizes.at(-1) ?? 0;
const whole = (length: number): number => length;

/** What happens on the edges of the model. `all` is what a killed process leaves. */
export const EDGES: Readonly<Record<string, Choice>> = {
  nothing: { piece: () => false, tear: whole, names: () => 0, size: (sizes) => sizes[0] ?? 0, fill: 0 },
  all: { piece: () => true, tear: whole, names: (changes) => changes, size: last, fill: 0 },
  'names without data': { piece: () => false, tear: whole, names: (changes) => changes, size: last, fill: 0 },
  'names without size': {
    piece: () => false,
    tear: whole,
    names: (changes) => changes,
    size: (sizes) => sizes[0] ?? 0,
    fill: 0,
  },
  'data without names': { piece: () => true, tear: whole, names: () => 0, size: last, fill: 0 },
};

export function randomChoice(chance: Chance): Choice {
  // A bias of its own for each state, or all states would look alike: half of everything.
  const data = chance.pick([0.1, 0.5, 0.9, 1]);
  const names = chance.pick([0.1, 0.5, 0.9, 1]);
  const tears = chance.pick([0, 0, 0.3]);
  return {
    piece: () => chance.happens(data),
    tear: (length) => (chance.happens(tears) ? chance.below(length + 1) : length),
    names: (changes) => (chance.happens(names) ? changes : chance.below(changes + 1)),
    size: (sizes) => (chance.happens(0.5) ? last(sizes) : chance.pick(sizes)),
    fill: chance.pick([0, 0, 0x2a]),
  };
}

/** Follows the operations, and knows at each moment what is durable and what is not yet. */
export class CrashModel {
  readonly #root: FolderNode;
  readonly #durable = new Map<Node, Uint8Array>();
  readonly #data = new Map<FileNode, DataOperation[]>();
  readonly #durableNames = new Map<FolderNode, Map<string, Node>>();
  readonly #names = new Map<FolderNode, PendingName[]>();

  /** `root` as it is before the first operation: all of it is durable. */
  constructor(root: FolderNode) {
    this.#root = root;
    const walk = (folder: FolderNode): void => {
      this.#durableNames.set(folder, new Map(folder.names));
      for (const node of folder.names.values()) {
        if (node.kind === 'file') this.#durable.set(node, node.bytes);
        else walk(node);
      }
    };
    walk(root);
  }

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'write':
      case 'truncate':
        this.#pendingData(operation.file).push(operation);
        return;
      case 'name': {
        let needs: PendingName | undefined;
        for (const change of operation.changes) {
          const pending: PendingName = { ...change, needs };
          needs = pending;
          this.#pendingNames(change.folder).push(pending);
        }
        return;
      }
      case 'sync':
        if (operation.node.kind === 'file') {
          this.#durable.set(operation.node, this.#contentOf(operation.node, EDGES['all'] as Choice));
          this.#data.delete(operation.node);
        } else {
          this.#durableNames.set(
            operation.node,
            this.#namesOf(operation.node, this.#pendingNames(operation.node)),
          );
          this.#names.delete(operation.node);
        }
        return;
      case 'note':
        return;
    }
  }

  /** A disk as it may be after a power loss now: a copy, with the numbers of its files kept. */
  crash(choice: Choice): FolderNode {
    const survived = this.#surviving(choice);
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node.kind === 'file') {
        const file: FileNode = { ...node, bytes: this.#contentOf(node, choice), mtimeMs: 0 };
        copies.set(node, file);
        return file;
      }
      const folder: FolderNode = { ...node, names: new Map() };
      copies.set(node, folder);
      for (const [name, inner] of this.#namesOf(node, survived.get(node) ?? []))
        folder.names.set(name, copy(inner));
      return folder;
    };
    return copy(this.#root) as FolderNode;
  }

  /** Which changes of names survive: a beginning of each name's history, and what a rename needs. */
  #surviving(choice: Choice): Map<FolderNode, PendingName[]> {
    const chosen = new Set<PendingName>();
    const histories = [...this.#names.values()].flatMap(historiesOf);
    for (const history of histories)
      for (const change of history.slice(0, choice.names(history.length))) chosen.add(change);
    // A file that is renamed is not lost: with the old name gone, the new one is there, and all that came before it.
    for (let grew = true; grew; ) {
      grew = false;
      const needed = new Set([...chosen].map(({ needs }) => needs));
      for (const history of histories) {
        for (const change of history.slice(0, history.findLastIndex((one) => needed.has(one)) + 1)) {
          grew ||= !chosen.has(change);
          chosen.add(change);
        }
      }
    }
    return new Map(
      [...this.#names].map(([folder, changes]) => [folder, changes.filter((change) => chosen.has(change))]),
    );
  }

  #namesOf(folder: FolderNode, changes: readonly PendingName[]): Map<string, Node> {
    const names = new Map(this.#durableNames.get(folder));
    for (const { name, node } of changes) {
      if (node === undefined) names.delete(name);
      else names.set(name, node);
    }
    return names;
  }

  #contentOf(file: FileNode, choice: Choice): Uint8Array {
    const durable = this.#durable.get(file) ?? new Uint8Array(0);
    const pending = this.#data.get(file);
    if (pending === undefined) return durable;
    const sizes = [durable.length];
    let content = durable;
    let size = durable.length;
    for (const operation of pending) {
      if (operation.kind === 'truncate') {
        size = operation.length;
        if (choice.piece()) content = content.slice(0, size);
      } else {
        size = Math.max(size, operation.at + operation.bytes.length);
        content = withPieces(content, operation.at, operation.bytes, choice);
      }
      sizes.push(size);
    }
    const chosen = choice.size(sizes);
    if (chosen <= content.length) return content.slice(0, chosen);
    const filled = new Uint8Array(chosen).fill(choice.fill);
    filled.set(content);
    return filled;
  }

  #pendingData(file: FileNode): DataOperation[] {
    return getOrInsert(this.#data, file, () => []);
  }

  #pendingNames(folder: FolderNode): PendingName[] {
    return getOrInsert(this.#names, folder, () => []);
  }
}

/** The changes of a folder, name by name. */
function historiesOf(changes: readonly PendingName[]): PendingName[][] {
  const histories = new Map<string, PendingName[]>();
  for (const change of changes) getOrInsert(histories, change.name, () => []).push(change);
  return [...histories.values()];
}

/** The surviving pieces of a write, over what was there. */
function withPieces(content: Uint8Array, at: number, bytes: Uint8Array, choice: Choice): Uint8Array {
  let result = content;
  for (let done = 0; done < bytes.length; ) {
    const place = at + done;
    const length = Math.min(SECTOR - (place % SECTOR), bytes.length - done);
    if (choice.piece()) {
      const piece = bytes.subarray(done, done + choice.tear(length));
      const end = place + piece.length;
      if (end > result.length) {
        const grown = new Uint8Array(end).fill(choice.fill);
        grown.set(result);
        result = grown;
      } else if (result === content) {
        result = result.slice();
      }
      result.set(piece, place);
    }
    done += length;
  }
  return result;
}

/** A short name for what is on a disk: two that hold the same are one state. */
export function fingerprintOf(root: FolderNode): string {
  const hash = createHash('sha1');
  const walk = (folder: FolderNode, path: string): void => {
    for (const [name, node] of [...folder.names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${path}/${name}\0${node.kind}\0`);
      if (node.kind === 'folder') walk(node, `${path}/${name}`);
      else hash.update(`${node.bytes.length}\0`).update(node.bytes);
    }
  };
  walk(root, '');
  return hash.digest('base64');
}

function getOrInsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
