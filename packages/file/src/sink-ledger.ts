/**
 * The ledger of a sink that delivers exactly once: how long each file is, and where the source stood by then.
 *
 *     snapshot (all files, all positions) · change · change · change · …      one line each: checksum, JSON
 *
 * A change is added when the bytes it speaks of are where they belong; it holds only what one write moved. What counts
 * after a crash is the last whole line: a line that was torn has not been. When the changes outweigh the snapshot, a new
 * one is written beside it and renamed over it.
 */

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { positionFromJson, positionToJson } from '@streamweld/core/connector';
import { type FileHandle, openPatiently } from './client.ts';
import { errnoOf, FileError } from './errors.ts';
import { createIn, syncData, syncFolders, type Workshop, writeAll, writeFailure } from './sink-workshop.ts';

/** What is known of one path. */
export interface FileState {
  /** Bytes of the file, or of its last part; `undefined`: that is finished, and nobody's business here. */
  readonly length: number | undefined;
  readonly items: number;
  /** The number of the last part; 0 where files are not rolled, or before the first. */
  readonly sequence: number;
  /** Parts up to this number may have been begun: those beyond `sequence` are not valid. */
  readonly begun: number;
  /** The columns of a CSV that names them. */
  readonly header: readonly string[] | undefined;
  /** What was there before us ends in the middle of a line, and nothing was written behind it yet. */
  readonly isOpen: boolean;
}

type FileLine = readonly [
  path: string,
  length: number | null,
  items?: number,
  sequence?: number,
  begun?: number,
  header?: readonly string[] | null,
  isOpen?: true,
];
type PositionLine = readonly [lane: string, position: unknown];
interface Change {
  readonly files: readonly FileLine[];
  readonly positions: readonly PositionLine[];
}
interface Snapshot extends Change {
  readonly version: number;
  readonly checkpoint: string;
}

const VERSION = 1;
const DIGEST = 16;
/** Below it a new snapshot is not worth its syncs. */
const COMPACT_FROM = 256 << 10;

/** Positions as they are kept, made before anything is written: one that cannot be kept fails the write at once. */
export type KeptPositions = readonly PositionLine[];

export class Ledger {
  readonly path: string;
  readonly checkpoint: string;
  readonly files: Map<string, FileState> = new Map();
  readonly #shop: Workshop;
  readonly #isSynced: boolean;
  readonly #positions = new Map<string, unknown>();
  #handle: FileHandle | undefined;
  #length = 0;
  #compactAt = 0;
  /** Something was recorded since the last sync. */
  #isDirty = false;
  /** What it holds may be more than what was answered: only who reads it anew can tell. */
  isUncertain = false;

  /** @param isSynced each change is on the disk when it is recorded. */
  constructor(path: string, checkpoint: string, shop: Workshop, isSynced: boolean) {
    this.path = path;
    this.checkpoint = checkpoint;
    this.#shop = shop;
    this.#isSynced = isSynced;
  }

  /** Reads what an earlier run left; says whether there was one. */
  async read(): Promise<boolean> {
    const text = await readLedger(this.#shop, this.path);
    if (text === undefined) return false;
    const changes = wholeLines(text);
    const snapshot = changes[0] as Snapshot | undefined;
    if (snapshot === undefined) throw this.#damaged('It has no whole line.');
    if (snapshot.version !== VERSION)
      throw this.#damaged(`It is of version ${String(snapshot.version)}, and this package knows ${VERSION}.`);
    if (snapshot.checkpoint !== this.checkpoint) {
      if (isEmpty(changes)) return false;
      throw occupiedBy(this.#shop, this.path, snapshot.checkpoint);
    }
    for (const { files, positions } of changes) {
      for (const line of files) this.files.set(line[0], stateOf(line));
      for (const [lane, position] of positions) this.#positions.set(lane, position);
    }
    return true;
  }

  /** By lane. */
  positions(): ReadonlyMap<string, unknown> {
    return new Map([...this.#positions].map(([lane, position]) => [lane, positionFromJson(position)]));
  }

  keep(positions: ReadonlyMap<string, unknown> | undefined): KeptPositions {
    return [...(positions ?? [])].map(
      ([lane, position]) => [lane, positionToJson(position, `[${lane}]`)] as const,
    );
  }

  /** Writes a snapshot of what is known, under its name when it is whole. */
  async start(): Promise<void> {
    const { fs, mode, changedFolders } = this.#shop;
    const place = `${this.path}.tmp`;
    const snapshot: Snapshot = {
      version: VERSION,
      checkpoint: this.checkpoint,
      files: [...this.files].map(([path, state]) => lineOf(path, state)),
      positions: [...this.#positions],
    };
    const bytes = encodeLine(snapshot);
    let handle: FileHandle | undefined;
    try {
      handle = await createIn(this.#shop, dirname(this.path), () =>
        openPatiently(fs, place, 'w', mode ?? 0o666),
      );
      await writeAll(this.#shop, handle, bytes, 0, this.path);
      await syncData(this.#shop, handle, this.path);
      await fs.rename(place, this.path);
    } catch (error) {
      await handle?.close().catch(() => {});
      throw writeFailure(this.#shop, error, this.path);
    }
    const former = this.#handle;
    this.#handle = handle;
    this.#length = bytes.length;
    this.#isDirty = false;
    this.#compactAt = Math.max(COMPACT_FROM, 3 * bytes.length);
    await former?.close().catch(() => {});
    changedFolders.add(dirname(this.path));
    await syncFolders(this.#shop);
  }

  /**
   * Adds a change. When it rejects, the ledger is as it was, and so may be whatever the change speaks of; unless
   * `isUncertain`: then nothing may be taken back.
   */
  async record(files: readonly (readonly [string, FileState])[], positions: KeptPositions): Promise<void> {
    await this.#compact();
    const handle = this.#opened();
    const bytes = encodeLine({ files: files.map(([path, state]) => lineOf(path, state)), positions });
    try {
      await writeAll(this.#shop, handle, bytes, this.#length, this.path);
    } catch (error) {
      try {
        await handle.truncate(this.#length);
      } catch {
        this.isUncertain = true;
      }
      throw writeFailure(this.#shop, error, this.path);
    }
    this.#isDirty = true;
    if (this.#isSynced) await this.sync();
    this.#length += bytes.length;
    for (const [path, state] of files) this.files.set(path, state);
    for (const [lane, position] of positions) this.#positions.set(lane, position);
  }

  /** Waits until the disk has all that was recorded. */
  async sync(): Promise<void> {
    if (!this.#isDirty) return;
    try {
      await syncData(this.#shop, this.#opened(), this.path);
    } catch (error) {
      this.isUncertain = true;
      throw error;
    }
    this.#isDirty = false;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #compact(): Promise<void> {
    if (this.#length < this.#compactAt) return;
    try {
      await this.start();
    } catch (error) {
      if (error instanceof FileError && error.code === 'SW_FILE_SYNC_FAILED') {
        this.isUncertain = true;
        throw error;
      }
      // There may be no room for a second one: the first goes on, and it is tried again later.
      this.#compactAt = 2 * this.#length;
    }
  }

  #opened(): FileHandle {
    if (this.#handle === undefined) throw new Error('the ledger is not open');
    return this.#handle;
  }

  #damaged(what: string): FileError {
    return new FileError(
      'SW_FILE_LEDGER_DAMAGED',
      `The ledger ${this.path} cannot be read. ${what} Nothing is guessed: restore it, or move it and its files away and run from the beginning.`,
      { stage: this.#shop.stage, path: this.path },
    );
  }
}

/** For a sink that keeps no positions: it must not write where a ledger counts the bytes. */
export async function refuseLedger(shop: Workshop, path: string): Promise<void> {
  const text = await readLedger(shop, path);
  if (text === undefined) return;
  const changes = wholeLines(text);
  const snapshot = changes[0] as Snapshot | undefined;
  if (snapshot?.version === VERSION && isEmpty(changes)) return;
  throw occupiedBy(shop, path, snapshot?.checkpoint ?? '?');
}

/** A run that failed before it knew of any file leaves a ledger behind that speaks of nothing, and claims nothing. */
function isEmpty(changes: readonly Change[]): boolean {
  return changes.every(({ files, positions }) => files.length === 0 && positions.length === 0);
}

function occupiedBy(shop: Workshop, path: string, checkpoint: string): FileError {
  return new FileError(
    'SW_FILE_OCCUPIED',
    `What is written here belongs to the checkpoint '${checkpoint}': its ledger ${path} counts the bytes. Give this ` +
      'sink another path, or remove the ledger if that run is never to be resumed.',
    { stage: shop.stage, path },
  );
}

async function readLedger(shop: Workshop, path: string): Promise<Buffer | undefined> {
  let handle: FileHandle;
  try {
    handle = await openPatiently(shop.fs, path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw writeFailure(shop, error, path);
  }
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.allocUnsafe(size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await handle.read(bytes, done, size - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } catch (error) {
    throw writeFailure(shop, error, path);
  } finally {
    await handle.close();
  }
}

/** All lines up to the first that is not whole. */
function wholeLines(text: Buffer): Change[] {
  const changes: Change[] = [];
  let from = 0;
  for (;;) {
    const end = text.indexOf(10, from);
    if (end < 0) return changes;
    const digest = text.toString('latin1', from, from + DIGEST);
    const json = text.subarray(from + DIGEST + 1, end);
    if (digest !== digestOf(json)) return changes;
    changes.push(JSON.parse(json.toString()) as Change);
    from = end + 1;
  }
}

function encodeLine(change: Change): Buffer {
  const json = JSON.stringify(change);
  return Buffer.from(`${digestOf(json)} ${json}\n`);
}

function digestOf(json: string | Uint8Array): string {
  return createHash('sha256').update(json).digest('hex').slice(0, DIGEST);
}

function lineOf(path: string, { length, items, sequence, begun, header, isOpen }: FileState): FileLine {
  if (isOpen) return [path, length ?? null, items, sequence, begun, header ?? null, true];
  if (items === 0 && begun === 0 && header === undefined) return [path, length ?? null];
  if (header === undefined) return [path, length ?? null, items, sequence, begun];
  return [path, length ?? null, items, sequence, begun, header];
}

function stateOf([, length, items, sequence, begun, header, isOpen]: FileLine): FileState {
  return {
    length: length ?? undefined,
    items: items ?? 0,
    sequence: sequence ?? 0,
    begun: begun ?? 0,
    header: header ?? undefined,
    isOpen: isOpen ?? false,
  };
}
