/**
 * Following files: reading what is there, then what is written, whatever becomes of the files meanwhile.
 *
 *     look ──► files that changed ──► read to the end ──► rest until the next look
 *      ▲       (a chunk each in turn)        │
 *      └─────────────────────────────────────┘
 *
 * Nothing happens between two pulls: whoever does not ask is not read for.
 */

import {
  type Awaitable,
  onAbort,
  type Positioned,
  runtime,
  type SourceContext,
  type StreamWeldError,
} from '@streamweld/core/connector';
import type { Format } from '@streamweld/formats';
import { type FileSystem, patientLayer } from './client.ts';
import { toReadError } from './errors.ts';
import { type CheckedFollowOptions, type CheckedSourceOptions, isGzipName } from './options.ts';
import { Census } from './source-census.ts';
import { foldersOf } from './source-files.ts';
import type { GrowingFile } from './source-growing.ts';
import { OpenHandles } from './source-handles.ts';
import { HeldRecords } from './source-held.ts';
import { cutOff, lost, zipped } from './source-notices.ts';
import type { FilePosition } from './source-position.ts';
import type { FileReader } from './source-reader.ts';
import { Watch } from './source-watch.ts';

type Answer<T> = Positioned<T, FilePosition>;

/** For how many waits a file is not found before it is gone: its writer may be late, and a look may miss it. */
const GONE_POLLS = 2;
/**
 * How often, each time after a look, a file that is seen is tried to be opened before it is given up. It may be renamed
 * just then; but in a folder that cannot be listed nobody would ever tell that it is gone.
 */
const OPENS = 20;

export class Follower<T> implements FileReader<T> {
  readonly #paths: readonly string[];
  readonly #format: Format<T, never>;
  readonly #options: CheckedSourceOptions;
  /** With this one no look around fails for want of a handle: there are those of files at rest. */
  readonly #fs: FileSystem;
  readonly #follow: CheckedFollowOptions;
  #census: Census<T>;
  #watch: Watch;
  /** Files to be read, each once. */
  #queue: GrowingFile<T>[] = [];
  /** The one that is read now: its last chunk is in the buffer. */
  #active: GrowingFile<T> | undefined;
  /** Where that one stood when its turn began. */
  #turnFrom = 0;
  readonly #handles: OpenHandles<T>;
  /** Files with a record that may go on. */
  readonly #held: HeldRecords<T>;
  /** Positions without items: where a file begins, or ended. */
  #told: Answer<T>[] = [];
  #buffer: Uint8Array | undefined;
  #isStopped = false;
  #wake: (() => void) | undefined;
  #unlisten: (() => void) | undefined;
  #pulling: Promise<unknown> | undefined;

  constructor(
    paths: readonly string[],
    format: Format<T, never>,
    options: CheckedSourceOptions,
    follow: CheckedFollowOptions,
  ) {
    this.#paths = paths;
    this.#format = format;
    this.#options = options;
    this.#follow = follow;
    this.#fs = patientLayer(options.client, () => this.#handles.makeRoom());
    this.#held = new HeldRecords(follow.flushMs);
    this.#handles = new OpenHandles(this.#fs, follow.maxOpen);
    this.#census = this.#count();
    this.#watch = new Watch(options.client, follow.pollMs);
  }

  async open(context: SourceContext<FilePosition>): Promise<void> {
    this.#census = this.#count();
    this.#watch = new Watch(this.#options.client, this.#follow.pollMs);
    this.#queue = [];
    this.#told = [];
    this.#isStopped = false;
    this.#unlisten = onAbort(context.signal, () => this.stop());
    await this.#census.resume(context.positions);
    await this.#look();
  }

  pull(demand: number): Awaitable<Answer<T> | undefined> {
    if (this.#isStopped) return undefined;
    const file = this.#active;
    if (file !== undefined && file.ending === undefined) {
      const items = this.#take(file, demand);
      if (items.length > 0) return this.#answer(file, items);
    }
    return this.#later(demand);
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch.close();
    this.#wake?.();
  }

  async close(): Promise<void> {
    this.stop();
    this.#unlisten?.();
    // An open that is under way gives us a handle to close.
    await this.#pulling?.catch(() => {});
    this.#active = undefined;
    this.#held.clear();
    this.#buffer = undefined;
    await this.#handles.releaseAll();
  }

  #count(): Census<T> {
    const options = { ...this.#options, client: this.#fs };
    return new Census(this.#paths, this.#format, options, GONE_POLLS * this.#follow.pollMs);
  }

  /** Goes on pulling; a stop ends the wait, with nothing. */
  #later(demand: number): Promise<Answer<T> | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      this.#pulling = this.#run(demand);
      this.#pulling.then(resolve as (value: unknown) => void, reject);
    });
  }

  async #run(demand: number): Promise<Answer<T> | undefined> {
    while (!this.#isStopped) {
      if (this.#watch.isDue) await this.#look();
      const told = this.#told.shift();
      if (told !== undefined) return told;
      const file = this.#next();
      if (file === undefined) {
        await this.#watch.rest(this.#held.dueAt);
        continue;
      }
      try {
        const items = await this.#step(file, demand);
        if (items.length > 0) return this.#answer(file, items);
      } catch (error) {
        throw this.#failed(error, file);
      }
    }
    return undefined;
  }

  async #look(): Promise<void> {
    this.#watch.looking();
    const { begun, changed } = await this.#census.look(runtime.now());
    // Told before anything is read: a run that ends here knows which file it was about to begin.
    for (const file of begun) this.#told.push(this.#answer(file, []));
    for (const file of changed) this.#enqueue(file);
    this.#watch.over(foldersOf(this.#paths, this.#census.found));
    this.#watch.looked();
  }

  #enqueue(file: GrowingFile<T>): void {
    if (file.isQueued || file === this.#active) return;
    file.isQueued = true;
    this.#queue.push(file);
  }

  /**
   * Whose turn it is: a large file does not hold up the others. But it keeps its turn until an item came of it: if its
   * handle were needed for the others before that, it would begin again, and again.
   */
  #next(): GrowingFile<T> | undefined {
    for (const file of this.#held.due(runtime.now())) this.#enqueue(file);
    const active = this.#active;
    if (active !== undefined) {
      const isToStay = active.ending !== undefined || active.offset === this.#turnFrom;
      if (isToStay || this.#queue.length === 0) return active;
      this.#active = undefined;
      this.#enqueue(active);
    }
    const file = this.#queue.shift();
    this.#active = file;
    if (file === undefined) return undefined;
    file.isQueued = false;
    this.#turnFrom = file.offset;
    return file;
  }

  /** One chunk, one answer, or one step of a file's ending. */
  async #step(file: GrowingFile<T>, demand: number): Promise<readonly T[]> {
    if (file.ending !== undefined) return this.#finish(file, demand);
    if (isZipped(file, this.#options)) return this.#refuse(file);
    if (!(await this.#handles.open(file))) {
      this.#active = undefined;
      file.misses += 1;
      if (this.#census.isGone(file, runtime.now()) || (file.misses >= OPENS && this.#mayLeave(file)))
        this.#end(file);
      return [];
    }
    file.misses = 0;
    this.#buffer ??= Buffer.allocUnsafeSlow(this.#options.chunkBytes);
    switch (await file.fill(this.#buffer, runtime.now())) {
      case 'bytes':
        this.#held.delete(file);
        return file.take(demand);
      case 'other':
        // Whole lines of a record that might have gone on are a record; half a line is none.
        file.flush();
        file.ending = 'restart';
        return [];
      case 'gzip':
        return this.#refuse(file);
      case 'end':
        return this.#rested(file, demand);
    }
  }

  /** Everything there is was read. */
  #rested(file: GrowingFile<T>, demand: number): readonly T[] {
    if (this.#mayLeave(file)) {
      this.#end(file);
      return [];
    }
    if (file.canFlush) {
      if (runtime.now() >= file.grewAt + this.#follow.flushMs) {
        file.flush();
        const items = file.take(demand);
        if (items.length > 0) return items;
      } else {
        this.#held.add(file);
      }
    }
    this.#active = undefined;
    return [];
  }

  /**
   * Whether a file at its end is done with: it has a successor that was written to, so that the writer has moved on, or
   * it was deleted; and that was so for a while, in which a writer that was late had its chance.
   */
  #mayLeave(file: GrowingFile<T>): boolean {
    const now = runtime.now();
    const { pollMs } = this.#follow;
    const [, ...successors] = this.#census.lane(file.lane).files;
    if (this.#census.isGone(file, now)) return true;
    return successors.some(({ contentSince }) => contentSince !== undefined && now - contentSince >= pollMs);
  }

  #end(file: GrowingFile<T>): void {
    this.#active = file;
    file.ending = 'leave';
    if (file.isOpen) {
      file.end();
    } else if (file.hasMore) {
      this.#options.onNotice(lost(file, this.#options.name));
    }
  }

  /** What is decoded is handed out; then the file begins anew, or its successor does. */
  async #finish(file: GrowingFile<T>, demand: number): Promise<readonly T[]> {
    let items: readonly T[] = [];
    try {
      items = file.take(demand);
    } catch (error) {
      // Nobody will ever write the rest of that record: to fail would be to fail again after every restart.
      if ((error as { code?: unknown }).code !== 'SW_FORMAT_TRUNCATED') throw error;
    }
    if (items.length > 0) return items;
    if (file.isOpen && file.hasTail) this.#options.onNotice(cutOff(file, this.#options.name));
    if (file.ending === 'restart') {
      file.ending = undefined;
      file.restart();
      this.#told.push(this.#answer(file, []));
      return [];
    }
    file.ending = undefined;
    await this.#letGo(file);
    const successor = this.#census.leave(file, runtime.now());
    if (successor === undefined) {
      const { items: none, position, lane } = this.#answer(file, []);
      this.#told.push({ items: none, position: { ...position, done: true }, lane });
    } else {
      this.#told.push(this.#answer(successor, []));
      this.#enqueue(successor);
    }
    return [];
  }

  async #refuse(file: GrowingFile<T>): Promise<readonly T[]> {
    this.#options.onNotice(zipped(file, this.#options.name));
    file.isOver = true;
    await this.#letGo(file);
    return [];
  }

  /** Nothing is read of it any more, and nothing waited for. */
  async #letGo(file: GrowingFile<T>): Promise<void> {
    this.#active = undefined;
    this.#held.delete(file);
    await this.#handles.release(file);
  }

  #take(file: GrowingFile<T>, demand: number): readonly T[] {
    try {
      return file.take(demand);
    } catch (error) {
      throw this.#failed(error, file);
    }
  }

  #answer(file: GrowingFile<T>, items: readonly T[]): Answer<T> {
    return { items, position: file.position(this.#census.lane(file.lane).earlier), lane: file.lane };
  }

  #failed(error: unknown, { path }: GrowingFile<T>): StreamWeldError {
    return toReadError(error, path, this.#options.name);
  }
}

function isZipped<T>({ path }: GrowingFile<T>, { compression }: CheckedSourceOptions): boolean {
  return compression === 'auto' && isGzipName(path);
}
