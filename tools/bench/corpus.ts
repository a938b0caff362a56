/** The files that the loads of files read: made of counters, so that each run has the same, and removed afterwards. */

import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { BATCH } from './sizes.ts';

/** Lines that are joined before they are written. */
const BLOCK = 10_000;

/** A web server's log, about a hundred bytes a line. */
export function logLine(index: number): string {
  const host = `10.${index % 7}.${index % 256}.${(index * 7) % 256}`;
  return `${host} - - [12/Mar/2026:10:${index % 60}:00 +0000] "GET /path/${index} HTTP/1.1" 200 ${index % 9999} "-"`;
}

/** The same with letters of two bytes. */
export function umlautLine(index: number): string {
  return `${logLine(index)} "Überführung nach Zürich"`;
}

export function flightJson(index: number): string {
  return JSON.stringify({
    id: index,
    date: `2001-01-01T00:${index % 60}`,
    delay: (index % 99) - 9,
    distance: index % 3000,
    origin: 'ORD',
    destination: 'ACY',
  });
}

export class Corpus {
  readonly #line: (index: number) => string;
  readonly #value: (line: string, index: number) => number;
  readonly #isZipped: boolean;
  readonly #isKept: boolean;
  #outputs = 0;
  #folder = '';
  lines = 0;
  /** What the lines add up to: their characters, or what `value` says. */
  sum = 0;
  /** Its lines, in batches, where they are kept. */
  batches: readonly (readonly string[])[] = [];
  /** Of the file; of what it holds, where it is compressed. */
  bytes = 0;

  constructor(
    line: (index: number) => string,
    options: {
      readonly isZipped?: boolean;
      readonly value?: (line: string, index: number) => number;
      /** The lines are kept in memory too. */
      readonly isKept?: boolean;
    } = {},
  ) {
    this.#line = line;
    this.#value = options.value ?? ((text) => text.length);
    this.#isZipped = options.isZipped ?? false;
    this.#isKept = options.isKept ?? false;
  }

  get path(): string {
    return join(this.#folder, this.#isZipped ? 'items.txt.gz' : 'items.txt');
  }

  /** Where something may be written: a file in a new folder, which is removed with the rest. */
  makeOutput(): string {
    this.#outputs += 1;
    const folder = join(this.#folder, String(this.#outputs));
    mkdirSync(folder);
    return join(folder, 'output.txt');
  }

  async make(lines: number): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'streamweld-bench-'));
    const plain = join(this.#folder, 'items.txt');
    const file = openSync(plain, 'w');
    this.lines = lines;
    this.sum = 0;
    this.bytes = 0;
    for (let from = 0; from < lines; from += BLOCK) {
      let text = '';
      for (let index = from; index < Math.min(lines, from + BLOCK); index++) {
        const line = this.#line(index);
        this.sum += this.#value(line, index);
        text += `${line}\n`;
      }
      this.bytes += writeSync(file, text);
    }
    closeSync(file);
    if (this.#isKept) this.batches = split(readFileSync(plain, 'latin1'));
    if (this.#isZipped) await pipeline(createReadStream(plain), createGzip(), createWriteStream(this.path));
  }

  remove(): void {
    this.batches = [];
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function split(text: string): (readonly string[])[] {
  const lines = text.trimEnd().split('\n');
  const batches: (readonly string[])[] = [];
  for (let at = 0; at < lines.length; at += BATCH) batches.push(lines.slice(at, at + BATCH));
  return batches;
}
