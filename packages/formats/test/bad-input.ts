/**
 * Puts generated input to a decoder, cut at every place, and holds what comes out against a reference.
 *
 * Every input is seen whole, a byte at a time and cut once at every byte; short ones cut twice at every pair of bytes, the
 * others at pairs by chance. From one place where it stood, a new decoder goes on. Those of many KiB are cut by chance.
 *
 * Every run of the tests puts a quarter of them, `pnpm test:deep` all. `STREAMWELD_BAD_INPUT_EFFORT=20` puts twenty times as
 * many, `STREAMWELD_BAD_INPUT_SEED=7` others than usual:
 *
 *     STREAMWELD_BAD_INPUT_EFFORT=20 npx vitest run --project formats test/bad-input
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Random } from '@streamweld/testing';
import type { DecoderOptions, Format } from '../src/index.ts';
import type { Expected } from './bad-input-reference.ts';

export const EFFORT: number = Number(process.env.STREAMWELD_BAD_INPUT_EFFORT ?? 0.25);
export const SEED: number = Number(process.env.STREAMWELD_BAD_INPUT_SEED ?? 1);

export interface Subject<O> {
  /** As it is written to try an input again. */
  readonly name: string;
  format(options: O): Format<unknown, never>;
  reference(bytes: Uint8Array, options: O): Expected<unknown>;
  options(random: Random): O;
  input(random: Random, options: O): Uint8Array;
  /** Whether a decoder that starts in the middle has all it needs. */
  canResume?(options: O): boolean;
}

export interface Tally {
  /** Inputs, each with its options, no two the same. */
  readonly inputs: number;
  readonly decodings: number;
  /** How often each outcome was met: `items`, `nothing`, and the code of each error. */
  readonly met: ReadonlyMap<string, number>;
}

/** Finds the first input on which decoder and reference differ. @throws Error with what it takes to try it again. */
export function tryInputs<O>(subject: Subject<O>, inputs: number): Tally {
  const random = new Random(SEED);
  const seen = new Set<string>();
  const met = new Map<string, number>();
  let decodings = 0;
  while (seen.size < inputs * EFFORT) {
    const options = subject.options(random);
    const bytes = subject.input(random, options);
    const key = `${JSON.stringify(options)} ${Buffer.from(bytes).toString('latin1')}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const expected = subject.reference(bytes, options);
    const kind = expected.error?.codes[0] ?? (expected.items.length > 0 ? 'items' : 'nothing');
    met.set(kind, (met.get(kind) ?? 0) + 1);
    decodings += tryInput(subject, bytes, options, expected, random);
  }
  return { inputs: seen.size, decodings, met };
}

function tryInput<O>(
  subject: Subject<O>,
  bytes: Uint8Array,
  options: O,
  expected: Expected<unknown>,
  random: Random,
): number {
  const format = subject.format(options);
  let decodings = 0;
  let code: string | undefined;
  for (const cuts of cutsOf(bytes.length, random)) {
    // Asking where it stands after each item costs much, so it is not asked after each of many thousands.
    const few = bytes.length > 2000 ? 300 : 1;
    const max = decodings % 3 === 0 ? few : decodings % 3 === 1 ? 2 * few : 1000;
    const seen = decodeAt(format, bytes, cuts, max);
    const difference =
      differenceOf(seen, expected) ?? (code === undefined || code === seen.code ? '' : 'code');
    if (difference !== '')
      throw notTheSame(subject.name, options, bytes, cuts, max, difference, seen, expected);
    code ??= seen.code;
    decodings += 1;
  }
  if (subject.canResume?.(options) === false) return decodings;
  const { stops, header } = decodeAt(format, bytes, [], bytes.length > 2000 ? 300 : 1);
  if (stops.length === 0) return decodings;
  const [taken, offset] = random.pick(stops);
  const rest = decodeAt(format, bytes.subarray(offset), [], 2, { offset, record: taken, header });
  const difference = differenceOf(
    { ...rest, items: [...expected.items.slice(0, taken), ...rest.items] },
    expected,
    taken,
  );
  if (difference === undefined) return decodings + 1;
  throw notTheSame(
    subject.name,
    options,
    bytes,
    [],
    1,
    `${difference}, resumed at ${offset}`,
    rest,
    expected,
  );
}

/** Where to cut. */
function cutsOf(length: number, random: Random): number[][] {
  const isLong = length > 200;
  const size = isLong ? random.pick([7, 100, 1000]) : 1;
  const all: number[][] = [[], Array.from({ length: Math.ceil(length / size) }, (_, at) => at * size)];
  const singles = isLong ? 30 : length - 1;
  for (let at = 1; at <= singles; at++) all.push([isLong ? random.integer(1, length - 1) : at]);
  if (length <= 9 || (length <= 40 && random.chance(0.004))) {
    for (let first = 1; first < length; first++) {
      for (let second = first + 1; second < length; second++) all.push([first, second]);
    }
  } else {
    for (let pair = 0; pair < 6; pair++) {
      all.push([random.integer(1, length - 1), random.integer(1, length - 1)].sort((a, b) => a - b));
    }
  }
  return all;
}

interface Seen {
  readonly items: readonly unknown[];
  /** After each take, how many items were taken and where the decoder stood. */
  readonly stops: readonly (readonly [taken: number, offset: number])[];
  readonly code: string | undefined;
  readonly error: { readonly code: string; readonly record?: number; readonly offset?: number } | undefined;
  readonly record: number;
  readonly skipped: number | undefined;
  readonly header: readonly string[] | undefined;
}

/** Decodes chunks that end at `cuts`; each is overwritten once it is its owner's again. */
function decodeAt(
  format: Format<unknown, never>,
  bytes: Uint8Array,
  cuts: readonly number[],
  max: number,
  at?: DecoderOptions,
): Seen {
  const decoder = format.decoder(at);
  const items: unknown[] = [];
  const stops: (readonly [number, number])[] = [];
  const take = (): void => {
    for (let batch = decoder.take(max); batch.length > 0; batch = decoder.take(max)) {
      if (batch.length > max)
        throw new Error(`It answered ${batch.length} items, and ${max} were asked for.`);
      for (const item of batch) items.push(item);
      stops.push([items.length, decoder.offset]);
    }
  };
  let error: Seen['error'];
  try {
    let from = 0;
    for (const to of cuts) {
      const chunk = Uint8Array.from(bytes.subarray(from, to));
      decoder.push(chunk);
      take();
      chunk.fill(0x58);
      from = to;
    }
    decoder.push(Uint8Array.from(bytes.subarray(from)));
    take();
    decoder.end();
    take();
    stops.push([items.length, decoder.offset]);
  } catch (thrown) {
    error = thrown as Seen['error'];
    stops.push([items.length, decoder.offset]);
    // From then on it throws the same.
    let again: unknown;
    try {
      again = decoder.take(max);
    } catch (second) {
      again = second;
    }
    if (again !== thrown) throw new Error('It threw, and then it did not throw the same.', { cause: thrown });
  }
  const { record, skipped, header } = decoder;
  return { items, stops, code: error?.code, error, record, skipped, header };
}

/** What of it is not as expected, in a word. @param resumedAt items that were taken by another decoder before. */
function differenceOf(seen: Seen, expected: Expected<unknown>, resumedAt?: number): string | undefined {
  const { error } = expected;
  if (seen.items.length !== expected.items.length) return 'number of items';
  for (let at = 0; at < seen.items.length; at++) {
    if (!isSame(seen.items[at], expected.items[at])) return `item ${at}`;
  }
  if (error === undefined ? seen.error !== undefined : !error.codes.includes(seen.code ?? '')) return 'error';
  if (seen.error?.record !== error?.record) return "the error's record";
  if (seen.error?.offset !== error?.offset) return "the error's offset";
  if (seen.record !== expected.items.length) return 'record';
  if (resumedAt !== undefined) return undefined;
  if (seen.skipped !== expected.skipped) return 'skipped';
  for (const [taken, offset] of seen.stops) {
    if (expected.stands[taken]?.includes(offset) !== true) return `offset ${offset} after ${taken} items`;
  }
  return undefined;
}

/** Equal in value, order of properties and prototype; −0 is not 0. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (key !== others[at]) return false;
    if (!isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false;
  }
  return true;
}

function notTheSame(
  name: string,
  options: unknown,
  bytes: Uint8Array,
  cuts: readonly number[],
  max: number,
  difference: string,
  seen: Seen,
  expected: Expected<unknown>,
): Error {
  const { items, error, stops, skipped } = seen;
  const shown = { items, error: error && { ...pick(error) }, skipped, stops };
  return new Error(
    `Not the same: ${difference}.\n` +
      `  try again: replay(${name}, '${literalOf(bytes)}', ${JSON.stringify(options)}, ${JSON.stringify(cuts)}, ${max})\n` +
      `  as text:   ${JSON.stringify(Buffer.from(bytes.subarray(0, 500)).toString('latin1'))}\n` +
      `  decoder:   ${JSON.stringify(shown).slice(0, 2000)}\n` +
      `  reference: ${JSON.stringify(expected).slice(0, 2000)}`,
    { cause: error },
  );
}

/** Hex, or what is shorter. */
function literalOf(bytes: Uint8Array): string {
  return bytes.length <= 400
    ? Buffer.from(bytes).toString('hex')
    : `deflate:${deflateRawSync(bytes).toString('base64')}`;
}

function bytesOf(literal: string): Uint8Array {
  const [, packed] = literal.split('deflate:');
  return packed === undefined ? Buffer.from(literal, 'hex') : inflateRawSync(Buffer.from(packed, 'base64'));
}

function pick({ code, record, offset }: NonNullable<Seen['error']>): object {
  return { code, record, offset };
}

/** One decoding, as the message of a difference gives it. @throws Error where it still is one. */
export function replay<O>(
  subject: Subject<O>,
  literal: string,
  options: O,
  cuts: readonly number[],
  max: number,
): void {
  const bytes = bytesOf(literal);
  const expected = subject.reference(bytes, options);
  const seen = decodeAt(subject.format(options), bytes, cuts, max);
  const difference = differenceOf(seen, expected);
  if (difference !== undefined) {
    throw notTheSame(subject.name, options, bytes, cuts, max, difference, seen, expected);
  }
}

/** Bytes made of tokens: text, or bytes as numbers. */
export type Token = string | readonly number[];

export function join(tokens: readonly Token[]): Uint8Array {
  return Buffer.concat(
    tokens.map((token) => (typeof token === 'string' ? Buffer.from(token) : Buffer.from(token))),
  );
}

export function draw(random: Random, tokens: readonly Token[], most: number): Token[] {
  return Array.from({ length: random.integer(0, most) }, () => random.pick(tokens));
}

/** Changes one byte, or takes one out, or puts one in, or cuts the end off. */
export function damage(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.integer(0, Math.max(0, bytes.length - 1));
  const byte = random.integer(0, 255);
  const before = bytes.subarray(0, at);
  switch (random.integer(0, 3)) {
    case 0:
      return Buffer.concat([before, Uint8Array.of(byte), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([before, bytes.subarray(at + 1)]);
    case 2:
      return Buffer.concat([before, Uint8Array.of(byte), bytes.subarray(at)]);
    default:
      return before;
  }
}

/** What is not UTF-8, of every kind, and what nearly is not. */
export const DIRTY_BYTES: readonly Token[] = [
  [0x80],
  [0xbf],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xc2],
  [0xe0, 0x80, 0x80],
  [0xe0, 0x9f, 0xbf],
  [0xe2, 0x82],
  [0xed, 0xa0, 0x80],
  [0xed, 0xbf, 0xbf],
  [0xf0, 0x80, 0x80, 0x80],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf0, 0x9f, 0x98],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5],
  [0xfe],
  [0xff],
  '\u0080',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
];
