/** Lines: what stands between line feeds. A carriage return before the line feed belongs to it, one alone does not. */

import { checkOptions } from '@streamweld/core/connector';
import { type Block, BlockDecoder, type Blocks } from './block-decoder.ts';
import { FormatError } from './errors.ts';
import type { Decoder, DecoderOptions, Encoder, Format } from './format.ts';
import { Cutter, LINE_ENDS, type Piece } from './cutter.ts';
import { MultilineBlocks, MultilineDecoder } from './lines-multi.ts';
import {
  type CheckedTextOptions,
  checkRecordStart,
  checkStart,
  checkTextOptions,
  type LinesOptions,
  type Start,
  TEXT_OPTIONS,
} from './options.ts';
import { decodeText, invalidUtf8, isWellFormed } from './text.ts';

/**
 * Text, an item a line, without its line end.
 *
 * A byte order mark at the beginning is left out, a missing line end at the end is none the worse. Lines are slices of
 * a decoded piece of up to 32 KiB, which a line that is kept keeps alive; who keeps few of many lines copies them.
 * With `recordStart` an item is a record of one or more lines, joined by line feeds.
 */
export function lines(options?: LinesOptions): Format<string> {
  const given = checkOptions('lines', options, [...TEXT_OPTIONS, 'recordStart']);
  const checked = checkTextOptions(given);
  const isStart = given.recordStart === undefined ? undefined : checkRecordStart(given.recordStart);
  return {
    name: 'lines',
    contentType: 'text/plain; charset=utf-8',
    decoder(at?: DecoderOptions): Decoder<string> {
      const start = checkStart(at);
      const blocks = new LineBlocks(checked, start);
      if (isStart === undefined) return new BlockDecoder(blocks, start);
      return new MultilineDecoder(new MultilineBlocks(blocks, isStart, checked, start), start);
    },
    encoder: () => new LinesEncoder(),
  };
}

export class LineBlocks implements Blocks<string> {
  readonly #cutter: Cutter;
  readonly #invalidUtf8: 'fail' | 'replace';

  constructor(options: CheckedTextOptions, start: Start) {
    this.#cutter = new Cutter(LINE_ENDS, options, start);
    this.#invalidUtf8 = options.invalidUtf8;
  }

  push(chunk: Uint8Array): void {
    this.#cutter.push(chunk);
  }

  end(): void {
    this.#cutter.end();
  }

  get skipped(): number {
    return this.#cutter.skipped;
  }

  /** To be called with how each line begins that is left out. */
  set onSkipped(callback: (head: Buffer) => void) {
    this.#cutter.onSkipped = callback;
  }

  next(record: number): LineBlock | undefined {
    const piece = this.#cutter.next(record);
    return piece === undefined ? undefined : new LineBlock(piece, this.#invalidUtf8, record);
  }
}

/** The lines of one piece. */
export class LineBlock implements Block<string> {
  readonly items: readonly string[];
  readonly end: number;
  /** Whether the last line has its line end. */
  readonly terminated: boolean;
  /** Where in the stream the line behind the items is not UTF-8. */
  readonly invalidAt: number | undefined;
  readonly #record: number;
  readonly #bytes: Buffer;
  readonly #offset: number;
  /** Every character, line ends included, is one byte of its own. */
  readonly #isPlain: boolean;

  constructor(piece: Piece, mode: 'fail' | 'replace', record: number) {
    const { bytes, offset, terminated } = piece;
    const decoded = decodeText(terminated ? bytes.subarray(0, -1) : bytes, mode);
    const hasCarriageReturn = bytes.includes(13);
    const { invalidAt } = decoded;
    this.terminated = terminated;
    this.#record = record;
    this.#bytes = bytes;
    this.#offset = offset;
    this.#isPlain = decoded.isAscii && !hasCarriageReturn;
    const items = decoded.text.split('\n');
    this.end = offset + bytes.length;
    if (invalidAt !== undefined) {
      // What is valid ends with a line feed, or is nothing: behind it there is no line.
      items.pop();
      this.end = offset + bytes.lastIndexOf(10, invalidAt) + 1;
      this.invalidAt = offset + invalidAt;
    }
    if (hasCarriageReturn) stripCarriageReturns(items, terminated || invalidAt !== undefined);
    this.items = items;
  }

  get failure(): FormatError | undefined {
    if (this.invalidAt === undefined) return undefined;
    return invalidUtf8(this.#record + this.items.length + 1, this.invalidAt);
  }

  /** Where in the stream a line ends that begins at `from`. */
  endFrom(index: number, from: number): number {
    if (index === this.items.length - 1) return this.end;
    if (this.#isPlain) return from + (this.items[index] as string).length + 1;
    return this.#offset + this.#bytes.indexOf(10, from - this.#offset) + 1;
  }

  /** Where in the stream the block begins. */
  get start(): number {
    return this.#offset;
  }

  /** Where in the stream the first `count` lines end. */
  endOf(count: number): number {
    let at = this.#offset;
    if (this.#isPlain) {
      for (let index = 0; index < count; index++) at += (this.items[index] as string).length + 1;
      return at;
    }
    let end = 0;
    for (let index = 0; index < count; index++) end = this.#bytes.indexOf(10, end) + 1;
    return at + end;
  }
}

function stripCarriageReturns(lines: string[], lastIsTerminated: boolean): void {
  const count = lastIsTerminated ? lines.length : lines.length - 1;
  for (let index = 0; index < count; index++) {
    const line = lines[index] as string;
    if (line.charCodeAt(line.length - 1) === 13) lines[index] = line.slice(0, -1);
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

class LinesEncoder implements Encoder<string> {
  #isFirst = true;

  encode(items: readonly string[]): Uint8Array {
    if (items.length === 0) return NOTHING;
    for (let index = 0; index < items.length; index++) {
      const item: unknown = items[index];
      if (typeof item !== 'string') throw notALine(index);
      if (item.includes('\n') || item.charCodeAt(item.length - 1) === 13) throw lineBreak(index);
    }
    const text = `${items.join('\n')}\n`;
    if (!isWellFormed(text)) throw loneSurrogate(items);
    // Text that begins with U+FEFF would lose it to whoever strips a byte order mark: it gets one to strip.
    const withMark = this.#isFirst && text.charCodeAt(0) === 0xfeff;
    this.#isFirst = false;
    return Buffer.from(withMark ? `\ufeff${text}` : text);
  }

  end(): Uint8Array {
    return NOTHING;
  }
}

function notALine(index: number): FormatError {
  return new FormatError(
    'SW_FORMAT_INVALID_ITEM',
    `The item at index ${index} is not a string. Lines are strings: turn it into one, or write ndjson.`,
    { index },
  );
}

function lineBreak(index: number): FormatError {
  return new FormatError(
    'SW_FORMAT_LINE_BREAK',
    `The item at index ${index} contains a line feed, or ends in a carriage return, and would be read back as ` +
      'something else. Remove or replace it, or write ndjson.',
    { index },
  );
}

function loneSurrogate(items: readonly string[]): FormatError {
  const index = items.findIndex((item) => !isWellFormed(item));
  return new FormatError(
    'SW_FORMAT_INVALID_ITEM',
    `The item at index ${index} has half of a surrogate pair, which UTF-8 cannot write. Repair it with toWellFormed().`,
    { index },
  );
}
