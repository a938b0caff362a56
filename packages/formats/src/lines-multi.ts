/**
 * Records of several lines, such as stack traces: a line that begins a record, and those that belong to it.
 *
 *     12:00 failed        ┐ start
 *       at run (a.ts:1)   │                 a record is whole when the next one begins,
 *       at main (a.ts:9)  ┘                 at the end, or when `flush` says so
 *     12:01 retried         start
 *
 * What is held is the one record whose end is not known; the offset stays before it.
 */

import { type Block, BlockDecoder, type Blocks } from './block-decoder.ts';
import { FormatError } from './errors.ts';
import type { LineBlock, LineBlocks } from './lines.ts';
import type { CheckedTextOptions, Start } from './options.ts';
import { invalidUtf8 } from './text.ts';

export class MultilineDecoder extends BlockDecoder<string> {
  readonly #records: MultilineBlocks;

  constructor(records: MultilineBlocks, start: Start) {
    super(records, start);
    this.#records = records;
  }

  flush(): void {
    this.#records.flush();
  }
}

export class MultilineBlocks implements Blocks<string> {
  readonly #lines: LineBlocks;
  readonly #isStart: (line: string) => boolean;
  readonly #maxBytes: number;
  readonly #skipLong: boolean;
  /** The record whose end is not known, and where in the stream it begins and, so far, ends. */
  #held: string | undefined;
  #from = 0;
  #to = 0;
  /** Where the last record ended. */
  #done: number;
  /** The record in hand is left out: lines are passed over until one begins the next. */
  #isSkipping = false;
  #skipped = 0;
  #isEnded = false;
  #isFlushed = false;
  /** How lines begin that were too long, and not looked at yet. */
  readonly #heads: Buffer[] = [];

  constructor(
    lines: LineBlocks,
    isStart: (line: string) => boolean,
    options: CheckedTextOptions,
    start: Start,
  ) {
    this.#lines = lines;
    lines.onSkipped = (head) => this.#heads.push(head);
    this.#done = start.offset;
    this.#isStart = isStart;
    this.#maxBytes = options.maxLineBytes;
    this.#skipLong = options.onLongLine === 'skip';
  }

  push(chunk: Uint8Array): void {
    this.#lines.push(chunk);
  }

  end(): void {
    this.#isEnded = true;
    this.#lines.end();
  }

  flush(): void {
    this.#isFlushed = true;
  }

  get skipped(): number {
    return this.#skipped;
  }

  next(record: number): Block<string> | undefined {
    for (;;) {
      const records = new Records(this.#done);
      const block = this.#lines.next(record);
      // Lines that were too long stood before this block: what they are part of is left out.
      for (const head of this.#heads.splice(0)) this.#leaveOut(head, records);
      if (block === undefined) {
        if (this.#isEnded || this.#isFlushed) this.#close(records);
        this.#isFlushed = false;
        return records.isEmpty ? undefined : records;
      }
      this.#add(block, records, record);
      if (!records.isEmpty) return records;
    }
  }

  #add(block: LineBlock, records: Records, record: number): void {
    let from = block.start;
    for (let index = 0; index < block.items.length; index++) {
      const line = block.items[index] as string;
      const to = block.endFrom(index, from);
      if (this.#held === undefined && !this.#isSkipping) {
        this.#hold(line, from, to);
      } else if (this.#isStart(line)) {
        this.#close(records);
        this.#hold(line, from, to);
      } else if (this.#held !== undefined) {
        this.#held += `\n${line}`;
        this.#to = to;
      }
      from = to;
      if (this.#held !== undefined && this.#to - this.#from > this.#maxBytes && this.#isLong()) {
        if (!this.#skipLong) {
          records.failure = tooLong(record + records.items.length + 1, this.#from, this.#maxBytes);
          return;
        }
        this.#drop();
      }
    }
    // The line that failed is part of the record in hand, or of the next. It is counted in records, not in lines.
    if (block.invalidAt !== undefined)
      records.failure = invalidUtf8(record + records.items.length + 1, block.invalidAt);
  }

  /** To be asked where it may be: its last line end is not part of it, nor are carriage returns. */
  #isLong(): boolean {
    return Buffer.byteLength(this.#held ?? '') > this.#maxBytes;
  }

  #hold(line: string, from: number, to: number): void {
    this.#held = line;
    this.#from = from;
    this.#to = to;
    this.#isSkipping = false;
  }

  #close(records: Records): void {
    if (this.#held === undefined) return;
    records.add(this.#held, this.#to);
    this.#held = undefined;
    this.#done = this.#to;
  }

  #drop(): void {
    this.#held = undefined;
    this.#isSkipping = true;
    this.#skipped++;
  }

  #leaveOut(head: Buffer, records: Records): void {
    if (this.#isStart(head.toString('utf8'))) this.#close(records);
    else if (this.#isSkipping) return;
    this.#drop();
  }
}

/** The records that turned out to be whole in one piece of the stream. */
class Records implements Block<string> {
  readonly items: string[] = [];
  readonly #ends: number[] = [];
  failure: FormatError | undefined;

  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  get isEmpty(): boolean {
    return this.items.length === 0 && this.failure === undefined;
  }

  get end(): number {
    return this.#ends.at(-1) ?? this.#start;
  }

  endOf(count: number): number {
    return this.#ends[count - 1] as number;
  }

  add(record: string, end: number): void {
    this.items.push(record);
    this.#ends.push(end);
  }
}

function tooLong(record: number, offset: number, maxBytes: number): FormatError {
  return new FormatError(
    'SW_FORMAT_LINE_TOO_LONG',
    `Record ${record}, at byte ${offset}, is longer than maxLineBytes (${maxBytes}). Raise maxLineBytes, look whether ` +
      "recordStart knows where records begin, or leave such records out with onLongLine: 'skip'.",
    { record, offset },
  );
}
