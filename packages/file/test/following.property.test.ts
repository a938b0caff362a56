/**
 * Whatever a writer does to its files, in whatever order, and wherever the reader is stopped and goes on: every line that
 * was written, and could be read, arrives once and in order.
 */

import { appendFileSync, closeSync, openSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { FilePosition } from '@streamweld/file';
import { lines } from '@streamweld/formats';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testFolder } from './driving.ts';
import { type Followed, follow, type LookedAt, lookedAt } from './following.ts';

type Step =
  | { readonly do: 'append'; readonly log: number; readonly lines: number; readonly cut: number }
  | { readonly do: 'rotate'; readonly log: number; readonly begun: boolean }
  | { readonly do: 'truncate'; readonly log: number; readonly lines: number }
  | { readonly do: 'recreate'; readonly log: number }
  | { readonly do: 'pull'; readonly demand: number }
  | { readonly do: 'restart'; readonly back: number; readonly whileDown: boolean };

const log = fc.nat(1);
const few = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('append' as const), log, lines: few, cut: fc.nat(9) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pull' as const), demand: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rotate' as const), log, begun: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('truncate' as const), log, lines: few }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreate' as const), log }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('restart' as const), back: fc.nat(4), whileDown: fc.boolean() }),
  },
);

/** One file as its writer knows it: a name for its lines, how many there are, and how much of the next is written. */
interface Written {
  readonly id: number;
  lines: number;
  partial: string;
}

class Writer {
  readonly #names: string[];
  readonly current: Written[] = [];
  readonly all: Written[] = [];
  #rotations = 0;

  constructor(names: string[]) {
    this.#names = names;
    for (const index of names.keys()) this.#begin(index);
  }

  append(index: number, lines: number, cut: number): void {
    const file = this.current[index] as Written;
    let text = '';
    for (let done = 0; done < lines; done += 1) {
      text += `${lineOf(file, file.lines)}\n`.slice(file.partial.length);
      file.partial = '';
      file.lines += 1;
    }
    // What is written of the next line, its line end perhaps excepted.
    const begun = lineOf(file, file.lines).slice(0, Math.max(file.partial.length, cut));
    text += begun.slice(file.partial.length);
    file.partial = begun;
    appendFileSync(this.#names[index] as string, text);
  }

  /** What has no line end when a file is left for good is its last line. */
  rotate(index: number, isBegun: boolean): void {
    const name = this.#names[index] as string;
    this.#rotations += 1;
    renameSync(name, `${name}.${this.#rotations}`);
    this.#begin(index);
    if (isBegun) this.append(index, 1, 0);
  }

  truncate(index: number): void {
    const file = this.current[index] as Written;
    truncateSync(this.#names[index] as string);
    file.partial = '';
    this.#replace(index);
  }

  recreate(index: number): void {
    rmSync(this.#names[index] as string);
    this.#begin(index);
  }

  #begin(index: number): void {
    closeSync(openSync(this.#names[index] as string, 'wx'));
    this.#replace(index);
  }

  #replace(index: number): void {
    const file = { id: this.all.length, lines: 0, partial: '' };
    this.current[index] = file;
    this.all.push(file);
  }

  /** The lines that can be read by now: of a file that is current, the whole ones. */
  readable(): string[] {
    return this.all.flatMap((file) => {
      const lines = Array.from({ length: file.lines }, (_, at) => lineOf(file, at));
      return this.current.includes(file) || file.partial === '' ? lines : [...lines, file.partial];
    });
  }
}

function lineOf({ id }: Written, at: number): string {
  return `${id}:${at}:${'é'.repeat((id + at) % 5)}`;
}

class Reader {
  readonly #paths: string | string[];
  readonly #options: object;
  readonly client: LookedAt;
  #followed: Followed<string> | undefined;
  #pending: Promise<readonly string[] | undefined> | undefined;
  /** After each batch: how many items there were, and where each lane stood. */
  #history: { items: number; positions: Map<string, FilePosition> }[] = [{ items: 0, positions: new Map() }];
  items: string[] = [];

  constructor(paths: string | string[], options: object, client: LookedAt) {
    this.#paths = paths;
    this.#options = options;
    this.client = client;
  }

  async start(): Promise<void> {
    const positions = this.#history.at(-1)?.positions as Map<string, FilePosition>;
    this.#followed = await follow(this.#paths, { ...this.#options, client: this.client, positions });
  }

  /** A pull, unless nothing comes for a while. */
  async pull(demand: number, patience = 12): Promise<boolean> {
    this.#pending ??= this.#followed?.pull(demand);
    const items = await Promise.race([this.#pending, this.client.looks(patience)]);
    if (items === undefined) return false;
    this.#pending = undefined;
    this.items.push(...items);
    const positions = new Map(this.#followed?.positions);
    this.#history.push({ items: this.items.length, positions });
    return true;
  }

  /** Whether the file that is there now is the one that its lane has come to. */
  isAt(name: string): boolean {
    return this.#followed?.positions.get(name)?.file.ino === statSync(name).ino;
  }

  /** Everything that can be read. */
  async drain(count: number): Promise<void> {
    while (this.items.length < count && (await this.pull(7, 200)));
  }

  /** Everything so far counts as committed: what is gone cannot be read again. */
  commit(): void {
    const positions = new Map(this.#followed?.positions);
    this.#history = [{ items: this.items.length, positions }];
  }

  /** Forgets the last batches, as a run does that was killed before they were committed. */
  async stop(back: number): Promise<void> {
    await this.#followed?.stop();
    const late = await this.#pending;
    this.#pending = undefined;
    expect(late).toBeUndefined();
    const at = Math.max(0, this.#history.length - 1 - back);
    this.#history.length = at + 1;
    this.items.length = this.#history[at]?.items as number;
  }
}

async function check(
  steps: readonly Step[],
  options: { isGlob: boolean; chunkBytes: number; maxOpen: number; isHeld: boolean },
): Promise<void> {
  const folder = testFolder();
  const names = ['a.log', 'b.log'].map((name) => join(folder, name));
  const writer = new Writer(names);
  const paths = options.isGlob ? [`${folder}/a.log*`, `${folder}/b.log*`] : names;
  const client = lookedAt(paths[0] as string);
  const { chunkBytes, maxOpen } = options;
  // Every line a record, whose end is known only by what follows it, or by time.
  const format = lines(options.isHeld ? { recordStart: () => true } : {});
  const reader = new Reader(
    paths,
    { format, chunkBytes, follow: { pollMs: 1, flushMs: 3, maxOpen } },
    client,
  );
  const settle = async (): Promise<void> => {
    await reader.drain(writer.readable().length);
    // And where a file stands of which there is nothing to read, or only a part of a line.
    for (let turn = 0; turn < 8 && !names.every((name) => reader.isAt(name)); turn += 1)
      await reader.pull(1, 5);
    await reader.pull(1, 5);
    reader.commit();
  };
  // Half a line at the end of a rotated file is a line to who saw it rotated, and to nobody else.
  const rotate = (index: number, isBegun: boolean): void => {
    if (options.isGlob && writer.current[index]?.partial !== '') writer.append(index, 1, 0);
    writer.rotate(index, isBegun);
  };
  await reader.start();
  for (const one of steps) {
    if (one.do === 'append') {
      writer.append(one.log, one.lines, one.cut);
    } else if (one.do === 'pull') {
      await reader.pull(one.demand);
    } else if (one.do === 'rotate') {
      // Without the rotated files among those that are read, one rotation can be followed from a position.
      if (!options.isGlob) await settle();
      rotate(one.log, one.begun);
    } else if (one.do === 'truncate') {
      await settle();
      writer.truncate(one.log);
      writer.append(one.log, one.lines, 0);
    } else if (one.do === 'recreate') {
      // The last line of a deleted file is read where the file is held open.
      if (maxOpen === 1 && writer.current[one.log]?.partial !== '') continue;
      await settle();
      writer.recreate(one.log);
      await settle();
    } else {
      if (one.whileDown && !options.isGlob) await settle();
      const index = one.back % 2;
      // What has come to its name since the last position cannot be found under another.
      const isRotated = one.whileDown && (options.isGlob || reader.isAt(names[index] as string));
      await reader.stop(one.back);
      if (isRotated) {
        writer.append(index, 1, 0);
        rotate(index, true);
      }
      await reader.start();
    }
  }
  // A file that was rotated is held until its successor is written to.
  for (const index of names.keys()) writer.append(index, 1, 0);
  await reader.drain(writer.readable().length);
  // And nothing more.
  await reader.pull(1, 5);
  const expected = writer.readable();
  expect(reader.items.toSorted()).toEqual(expected.toSorted());
  const idOf = (line: string): number => Number.parseInt(line, 10);
  const inOrder = (items: readonly string[]): string[] => items.toSorted((a, b) => idOf(a) - idOf(b));
  expect(inOrder(reader.items)).toEqual(inOrder(expected));
  await reader.stop(0);
}

const runs = Number(process.env['STREAMWELD_RUNS'] ?? 60);

test('[fault 35 37 38 39] property: every line arrives once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.record({
        isGlob: fc.boolean(),
        chunkBytes: fc.constantFrom(1, 3, 7, 64, 4096),
        maxOpen: fc.constantFrom(1, 8),
        isHeld: fc.boolean(),
      }),
      check,
    ),
    { numRuns: runs },
  );
}, 600_000);
