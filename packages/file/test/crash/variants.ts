/** What is copied, how, and how it must look when it is done: each variant is one guarantee. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ConcurrentPipeline, from, type Sink } from '@streamweld/core';
import { FileCheckpointStore, FileSink, FileSource, type FileSystem } from '@streamweld/file';

const ITEMS = 240;
const BUFFER = 30;
const COMMIT = { items: 45, ms: 10_000 };

export interface Variant {
  /** Writes the input. */
  prepare(folder: string): void;
  /** The pipeline, over this file layer. */
  build(folder: string, client: FileSystem): ConcurrentPipeline<unknown>;
  /** What is wrong with the output, after so many kills. */
  check(folder: string, kills: number): string[];
  /** What is wrong with what a kill has left. */
  look?(folder: string): string[];
}

/** Lines of lengths that differ, so that no two batches are alike; the longest are longer than a page. */
export function lineAt(index: number): string {
  const length = index % 50 === 49 ? 5000 : 10 + ((index * 7) % 90);
  return `${index} `.padEnd(length, 'abcdefghij');
}

const LINES = Array.from({ length: ITEMS }, (_, index) => lineAt(index));
const TEXT = LINES.map((line) => `${line}\n`).join('');

export function run(
  folder: string,
  client: FileSystem,
  source: ConstructorParameters<typeof ConcurrentPipeline<unknown>>[0],
  sink: Sink<never>,
): ConcurrentPipeline<unknown> {
  const store = new FileCheckpointStore(join(folder, 'checkpoints'), { client });
  return new ConcurrentPipeline<unknown>(source, sink as Sink<unknown>)
    .bufferSize(BUFFER)
    .commitEvery(COMMIT)
    .checkpoint(store, 'copy');
}

export const inputOf = (folder: string, client: FileSystem): FileSource<string> =>
  new FileSource(join(folder, 'in.log'), { client, chunkBytes: 4096 });

const prepareLines = (folder: string): void => writeFileSync(join(folder, 'in.log'), TEXT);

/** What differs, without quoting all of it. */
function compare(what: string, got: string, wanted: string): string[] {
  if (got === wanted) return [];
  let place = 0;
  while (place < wanted.length && got[place] === wanted[place]) place += 1;
  return [
    `${what} has ${got.length} characters instead of ${wanted.length} and differs at ${place}: ` +
      `${JSON.stringify(got.slice(place, place + 20))} instead of ${JSON.stringify(wanted.slice(place, place + 20))}`,
  ];
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/**
 * Nothing is left that only a run that is under way may have. Who is killed while it takes over a lock may leave a link
 * that stands for no lock.
 */
function checkTidy(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tmp$|\.lock$/.test(name))
    .map((name) => `${name} was left`);
}

/** Every line is there; what is there twice, or torn, is what a kill explains. */
function checkAtLeastOnce(
  got: string,
  wanted: readonly string[],
  kills: number,
  isTornAllowed: boolean,
): string[] {
  const lines = got.split('\n');
  const violations: string[] = [];
  if (lines.pop() !== '') violations.push('the last line is torn');
  const numbers = new Map(wanted.map((line, index) => [line, index]));
  const seen = new Set<number>();
  let torn = 0;
  let steps = 0;
  let last = -1;
  for (const line of lines) {
    const number = numbers.get(line);
    if (number === undefined) {
      torn += 1;
      if (!wanted.some((whole) => whole.startsWith(line))) violations.push('a line was never written');
      continue;
    }
    // Each run goes on without a gap; only a run after a kill may begin before where the last one was.
    if (number <= last) steps += 1;
    else if (number > last + 1 && !seen.has(number - 1)) violations.push(`a gap before line ${number}`);
    last = number;
    seen.add(number);
  }
  if (seen.size !== wanted.length) violations.push(`${wanted.length - seen.size} lines are lost`);
  if (steps > kills) violations.push(`lines came again ${steps} times after ${kills} kills`);
  if (torn > (isTornAllowed ? kills : 0)) violations.push(`${torn} lines are torn after ${kills} kills`);
  return violations;
}

interface Order {
  readonly id: number;
  readonly key: string;
  readonly text: string;
}

const KEYS = ['a', 'b/c', 'b/d', 'é'];
const ORDERS: readonly Order[] = LINES.map((text, id) => ({ id, key: KEYS[(id * 7) % 4] as string, text }));
const ndjsonOf = (orders: readonly Order[]): string =>
  orders.map((order) => `${JSON.stringify(order)}\n`).join('');
const CSV = ['id,key,text', ...ORDERS.map(({ id, key, text }) => `${id},${key},${text}`), ''].join('\n');

/** A sink like this one, which cannot keep positions: what it writes is written at least once. */
export function withoutPositions<T>(sink: FileSink<T>): Sink<T> {
  return {
    name: sink.name,
    concurrency: 1,
    open: async () => sink.open(),
    write: (batch, context) => sink.write(batch, context),
    flush: () => sink.flush(),
    close: (reason) => sink.close(reason),
  };
}

export const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: {
    prepare: prepareLines,
    build: (folder, client) =>
      run(folder, client, inputOf(folder, client), new FileSink(join(folder, 'out.log'), { client })),
    check: (folder) => [...compare('out.log', textOf(join(folder, 'out.log')), TEXT), ...checkTidy(folder)],
  },
  gzip: {
    prepare: prepareLines,
    build: (folder, client) =>
      run(folder, client, inputOf(folder, client), new FileSink(join(folder, 'out.log.gz'), { client })),
    check: (folder) => [
      ...compare('out.log.gz', gunzipSync(readFileSync(join(folder, 'out.log.gz'))).toString(), TEXT),
      ...checkTidy(folder),
    ],
  },
  csv: {
    prepare: (folder) => writeFileSync(join(folder, 'in.csv'), CSV),
    build: (folder, client) =>
      run(
        folder,
        client,
        new FileSource(join(folder, 'in.csv'), { client, format: 'csv', chunkBytes: 4096 }),
        new FileSink(join(folder, 'out.csv'), { client, format: 'csv' }),
      ),
    check: (folder) => [...compare('out.csv', textOf(join(folder, 'out.csv')), CSV), ...checkTidy(folder)],
  },
  rolling: {
    prepare: prepareLines,
    build: (folder, client) =>
      run(
        folder,
        client,
        inputOf(folder, client),
        new FileSink(join(folder, 'out-{sequence}.log'), { client, roll: { maxItems: 40 } }),
      ),
    check: (folder) => {
      const numberOf = (name: string): number => Number(/\d+/.exec(name)?.[0]);
      const parts = readdirSync(folder)
        .filter((name) => name.startsWith('out-'))
        .sort((a, b) => numberOf(a) - numberOf(b));
      const texts = parts.map((name) => textOf(join(folder, name)));
      return [
        ...compare('all parts', texts.join(''), TEXT),
        ...texts.flatMap((text, at) =>
          text.split('\n').length - 1 > 40 ? [`${parts[at]} is too long`] : [],
        ),
        ...parts.flatMap((name, at) => (numberOf(name) === at + 1 ? [] : [`${name} is part ${at + 1}`])),
        ...checkTidy(folder),
      ];
    },
  },
  'many files': {
    prepare: (folder) => writeFileSync(join(folder, 'in.ndjson'), ndjsonOf(ORDERS)),
    build: (folder, client) =>
      run(
        folder,
        client,
        new FileSource<Order>(join(folder, 'in.ndjson'), { client, format: 'ndjson', chunkBytes: 4096 }),
        new FileSink((order: Order) => `${order.key}.ndjson`, {
          client,
          format: 'ndjson',
          root: join(folder, 'out'),
          maxOpen: 2,
        }),
      ),
    check: (folder) => [
      ...KEYS.flatMap((key) => {
        const wanted = ndjsonOf(ORDERS.filter((order) => order.key === key));
        return compare(key, textOf(join(folder, `out/${key}.ndjson`)), wanted);
      }),
      ...checkTidy(folder),
    ],
  },
  'at least once': {
    prepare: prepareLines,
    build: (folder, client) => {
      const sink = new FileSink(join(folder, 'out.log'), { client, append: true, fsync: 'batch' });
      return run(folder, client, inputOf(folder, client), withoutPositions(sink));
    },
    check: (folder, kills) => [
      ...checkAtLeastOnce(textOf(join(folder, 'out.log')), LINES, kills, true),
      ...checkTidy(folder),
    ],
  },
  // Without a checkpoint each run begins anew, and a file is seen whole or not at all.
  temporary: {
    prepare(folder) {
      prepareLines(folder);
      writeFileSync(join(folder, 'out.log'), 'old\n');
    },
    build: (folder, client) =>
      new ConcurrentPipeline<unknown>(
        inputOf(folder, client),
        new FileSink(join(folder, 'out.log'), { client, bufferBytes: 4096 }) as unknown as Sink<unknown>,
      ).bufferSize(BUFFER),
    look: (folder) => {
      const text = textOf(join(folder, 'out.log'));
      return text === 'old\n' ? [] : compare('out.log', text, TEXT);
    },
    check: (folder) => compare('out.log', textOf(join(folder, 'out.log')), TEXT),
  },
  'dead letter': {
    prepare: prepareLines,
    build: (folder, client) => {
      const path = (line: string): string => {
        if (isBad(line)) throw new Error('This one has no place.');
        return 'out.log';
      };
      const bad = new FileSink(join(folder, 'bad.ndjson'), { client, format: 'ndjson' });
      return run(
        folder,
        client,
        from(inputOf(folder, client)),
        new FileSink(path, { client, root: folder }),
      ).deadLetter(bad as unknown as Sink<unknown>);
    },
    check: (folder, kills) => [
      ...compare(
        'out.log',
        textOf(join(folder, 'out.log')),
        LINES.filter((line) => !isBad(line))
          .map((line) => `${line}\n`)
          .join(''),
      ),
      ...checkAtLeastOnce(
        textOf(join(folder, 'bad.ndjson')).split('\n').map(itemOf).join('\n'),
        LINES.filter(isBad),
        kills,
        true,
      ),
      ...checkTidy(folder),
    ],
  },
};

function isBad(line: string): boolean {
  return Number(line.split(' ', 1)[0]) % 11 === 5;
}

/** The item of a dead letter; a torn one is what a line that was torn looks like. */
function itemOf(letter: string): string {
  if (letter === '') return '';
  try {
    return (JSON.parse(letter) as { item: string }).item;
  } catch {
    return (LINES[5] as string).slice(0, 5);
  }
}
