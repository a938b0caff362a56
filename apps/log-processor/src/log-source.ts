/** The lines of logs, each with its number: what tells a damaged line from the others, and each line from itself again. */

import type { Positioned, Source, SourceContext } from '@streamweld/core';
import { type FilePosition, FileSource } from '@streamweld/file';
import { lines } from '@streamweld/formats';

export interface LogLine {
  readonly file: string;
  readonly incarnation: number;
  readonly inode: number;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** Bytes of a file up to which somebody waits. */
interface Mark {
  readonly file: string;
  readonly bytes: number;
  readonly reached: () => void;
}

export class LogSource implements Source<LogLine, FilePosition> {
  readonly name = 'access log';
  readonly comparePositions: (a: FilePosition, b: FilePosition) => number;
  /** Paths of which this run has handed something out. */
  readonly seen = new Set<string>();
  readonly #files: FileSource<string>;
  readonly #offsets = new Map<string, number>();
  readonly #marks = new Set<Mark>();

  /** @param paths absolute: a file is the same one from wherever it is read. */
  constructor(paths: readonly string[], isFollowed: boolean, onNotice?: (notice: Error) => void) {
    this.#files = new FileSource<string>(paths, {
      // What is not UTF-8 is for the dead letter, and no reason to stop.
      format: lines({ invalidUtf8: 'replace' }),
      follow: isFollowed ? { pollMs: 250 } : false,
      onNotice,
    });
    this.comparePositions = (a, b) => this.#files.comparePositions(a, b);
  }

  async open(context: SourceContext<FilePosition>): Promise<void> {
    for (const [file, { offset }] of context.positions) this.#offsets.set(file, offset);
    await this.#files.open(context);
  }

  async pull(demand: number): Promise<Positioned<LogLine, FilePosition> | undefined> {
    const pulled = await this.#files.pull(demand);
    if (pulled === undefined) return undefined;
    const { items, position, lane = '' } = pulled;
    const before = position.record - items.length;
    const { incarnation, file } = position;
    this.seen.add(lane);
    this.#offsets.set(lane, position.offset);
    if (this.#marks.size > 0) this.#look();
    return {
      lane,
      position,
      items: items.map((text, index) => ({
        file: lane,
        incarnation,
        inode: file.ino,
        line: before + index + 1,
        text,
      })),
    };
  }

  stop(): void {
    this.#files.stop();
  }

  async close(reason?: unknown): Promise<void> {
    for (const { reached } of this.#marks) reached();
    this.#marks.clear();
    await this.#files.close(reason);
  }

  /** Resolves when all lines in the first `bytes` of a file were handed out, by this run or an earlier one; or at the close. */
  reached(file: string, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#marks.add({ file, bytes, reached: resolve });
      this.#look();
    });
  }

  #look(): void {
    for (const mark of this.#marks) {
      if ((this.#offsets.get(mark.file) ?? 0) < mark.bytes) continue;
      this.#marks.delete(mark);
      mark.reached();
    }
  }
}
