/** NDJSON (JSON Lines): a JSON value a line. */

import { checkCount, checkOptions } from '@streamweld/core/connector';
import { type Block, BlockDecoder, type Blocks } from './block-decoder.ts';
import { FormatError, type FormatErrorCode } from './errors.ts';
import type { Decoder, DecoderOptions, Encoder, Format } from './format.ts';
import { type LineBlock, LineBlocks } from './lines.ts';
import {
  type CheckedTextOptions,
  checkStart,
  checkTextOptions,
  type NdjsonOptions,
  type Start,
  TEXT_OPTIONS,
} from './options.ts';
import { invalidUtf8 } from './text.ts';

/**
 * A JSON value a line; blank lines are left out.
 *
 * Values are what JSON.parse gives: of a key that comes twice the last counts, integers beyond 2^53 are rounded (write
 * them as strings), and a key `__proto__` is a property like any other. `T` is taken on trust: validate what you read.
 */
export function ndjson<T = unknown>(options?: NdjsonOptions): Format<T> {
  const given = checkOptions('ndjson', options, [...TEXT_OPTIONS, 'maxDepth']);
  const checked = checkTextOptions(given);
  const maxDepth = checkCount('maxDepth', given.maxDepth ?? 1000);
  return {
    name: 'ndjson',
    contentType: 'application/x-ndjson',
    decoder(at?: DecoderOptions): Decoder<T> {
      const start = checkStart(at);
      return new BlockDecoder(new NdjsonBlocks<T>(checked, maxDepth, start), start);
    },
    encoder: () => new NdjsonEncoder<T>(),
  };
}

class NdjsonBlocks<T> implements Blocks<T> {
  readonly #lines: LineBlocks;
  readonly #maxDepth: number;

  constructor(options: CheckedTextOptions, maxDepth: number, start: Start) {
    this.#lines = new LineBlocks(options, start);
    this.#maxDepth = maxDepth;
  }

  push(chunk: Uint8Array): void {
    this.#lines.push(chunk);
  }

  end(): void {
    this.#lines.end();
  }

  get skipped(): number {
    return this.#lines.skipped;
  }

  next(record: number): Block<T> | undefined {
    const block = this.#lines.next(record);
    return block === undefined ? undefined : new NdjsonBlock<T>(block, this.#maxDepth, record);
  }
}

/**
 * The values of a block of lines. Each line is parsed by itself: parsing many as one array is a tenth faster at best,
 * and takes pairs of broken lines for whole ones (`[1` and `2]`).
 */
class NdjsonBlock<T> implements Block<T> {
  readonly items: readonly T[];
  readonly end: number;
  readonly failure: FormatError | undefined;
  readonly #lines: LineBlock;
  /** The line of each value, where some were blank. */
  readonly #lineOf: readonly number[] | undefined;

  constructor(block: LineBlock, maxDepth: number, record: number) {
    const items: T[] = [];
    const lines = block.items;
    let lineOf: number[] | undefined;
    let failed = -1;
    let code: FormatErrorCode = 'SW_FORMAT_INVALID_JSON';
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] as string;
      if (isBlank(line)) {
        lineOf ??= items.map((_, at) => at);
        continue;
      }
      // Nesting of `maxDepth` takes as many brackets to open and as many to close.
      if (line.length > 2 * maxDepth && nestsDeeper(line, maxDepth)) {
        code = 'SW_FORMAT_TOO_DEEP';
        failed = index;
        break;
      }
      try {
        items.push(JSON.parse(line) as T);
      } catch {
        if (index === lines.length - 1 && !block.terminated) code = 'SW_FORMAT_TRUNCATED';
        failed = index;
        break;
      }
      lineOf?.push(index);
    }
    this.items = items;
    this.#lines = block;
    this.#lineOf = lineOf;
    if (failed >= 0) {
      this.end = block.endOf(failed);
      this.failure = jsonError(code, record + items.length + 1, this.end, maxDepth);
    } else {
      this.end = block.end;
      const { invalidAt } = block;
      this.failure = invalidAt === undefined ? undefined : invalidUtf8(record + items.length + 1, invalidAt);
    }
  }

  endOf(count: number): number {
    return this.#lines.endOf(this.#lineOf === undefined ? count : (this.#lineOf[count - 1] as number) + 1);
  }
}

function isBlank(line: string): boolean {
  return line === '' || (line.charCodeAt(0) <= 32 && /^[ \t\r]*$/.test(line));
}

/** Whether brackets outside strings nest deeper than `max`. It need not be JSON: what is none is found by parsing. */
function nestsDeeper(line: string, max: number): boolean {
  let depth = 0;
  for (let index = 0; index < line.length; index++) {
    switch (line.charCodeAt(index)) {
      case 0x22: // "
        index = stringEnd(line, index);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > max) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      default:
    }
  }
  return false;
}

/** The index of the quote that closes the string that opens at `start`. */
function stringEnd(line: string, start: number): number {
  for (let end = line.indexOf('"', start + 1); end >= 0; end = line.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (line.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return line.length;
}

/** What JSON.parse says is left out, also as a cause: it quotes what it read. */
function jsonError(code: FormatErrorCode, record: number, offset: number, maxDepth: number): FormatError {
  const place = `Record ${record}, at byte ${offset},`;
  switch (code) {
    case 'SW_FORMAT_TOO_DEEP':
      return new FormatError(
        code,
        `${place} nests deeper than maxDepth (${maxDepth}). Raise maxDepth if what you do with it can bear that.`,
        { record, offset },
      );
    case 'SW_FORMAT_TRUNCATED':
      return new FormatError(
        code,
        `${place} is the last line, has no line end and is not complete JSON: the input was cut off, or is still ` +
          'being written. Read again from this offset when it is complete.',
        { record, offset },
      );
    default:
      return new FormatError(
        code,
        `${place} is not JSON. NDJSON has one value a line; correct that line, or read lines and parse them yourself.`,
        { record, offset },
      );
  }
}

class NdjsonEncoder<T> implements Encoder<T> {
  encode(items: readonly T[]): Uint8Array {
    let text = '';
    for (let index = 0; index < items.length; index++) {
      let line: string | undefined;
      try {
        line = JSON.stringify(items[index]);
      } catch (cause) {
        throw notJson(index, 'cannot be written as JSON (a BigInt, a cycle, or a toJSON that throws)', cause);
      }
      if (line === undefined)
        throw notJson(index, 'is undefined, a function or a symbol, which JSON has not');
      text += line;
      text += '\n';
    }
    return Buffer.from(text);
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }
}

function notJson(index: number, what: string, cause?: unknown): FormatError {
  return new FormatError(
    'SW_FORMAT_INVALID_ITEM',
    `The item at index ${index} ${what}. Map items to plain values before writing them.`,
    cause === undefined ? { index } : { index, cause },
  );
}
