/** Files: FileSource beside readline, JSON.parse and zlib, FileSink beside a WriteStream. */

import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import {
  ConcurrentPipeline,
  MemoryCheckpointStore,
  type Positioned,
  type SinkLike,
  type Source,
  type SourceLike,
} from '@streamweld/core';
import { FileSink, type FileSinkOptions, FileSource } from '@streamweld/file';
import { gunzip } from '@streamweld/formats';
import { Corpus, flightJson, logLine, umlautLine } from '../corpus.ts';
import type { Contestant, Load } from '../load.ts';
import { BUFFER } from '../sizes.ts';
import type { Tally } from '../sinks.ts';

const CHUNK_BYTES = 256 << 10;
/** A run takes up to a second. */
const WARM_UPS = 1;

const only = (tallies: readonly Tally[]): Tally => tallies[0] as Tally;

async function run<T>(source: SourceLike<T>, sink: SinkLike<T>): Promise<void> {
  await new ConcurrentPipeline(source, sink).bufferSize(BUFFER).run();
}

// ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function countLines(tally: Tally): (batch: readonly string[]) => void {
  return (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += (batch[i] as string).length;
    tally.count += batch.length;
    tally.sum += sum;
  };
}

async function byReadline(path: string, onLine: (line: string) => void): Promise<void> {
  const reader = createInterface({
    // Its chunks are of 64 KiB: with larger ones readline is slower.
    input: createReadStream(path),
    crlfDelay: Infinity,
  });
  reader.on('line', onLine);
  await once(reader, 'close');
}

/** The least that can be done: whole chunks as text, split. It knows no CRLF, no limit and no place. */
async function bySplit(
  path: string,
  encoding: 'latin1' | 'utf8',
  use: (lines: string[]) => void,
): Promise<void> {
  const stream = createReadStream(path, { encoding });
  let rest = '';
  for await (const text of stream as AsyncIterable<string>) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    use(lines);
  }
  if (rest !== '') use([rest]);
}

function lines(name: string, title: string, corpus: Corpus, encoding: 'latin1' | 'utf8'): Load {
  return {
    name,
    title,
    sinks: 1,
    scale: 2,
    warmUps: WARM_UPS,
    expects: corpus,
    aims: { 'node:readline': 2.5 },
    contestants: [
      {
        name: 'FileSource',
        run: (_, tallies) => run(new FileSource(corpus.path), countLines(only(tallies))),
      },
      {
        name: 'node:readline',
        run: (_, tallies) => {
          const tally = only(tallies);
          return byReadline(corpus.path, (line) => {
            tally.count += 1;
            tally.sum += line.length;
          });
        },
      },
      {
        name: 'node:readline, for await',
        run: async (_, tallies) => {
          const tally = only(tallies);
          const input = createReadStream(corpus.path);
          for await (const line of createInterface({ input, crlfDelay: Infinity })) {
            tally.count += 1;
            tally.sum += line.length;
          }
        },
      },
      {
        name: 'chunks as text, split',
        run: (_, tallies) => bySplit(corpus.path, encoding, countLines(only(tallies))),
      },
    ],
  };
}

export const fileLines: Load = lines(
  'file-lines',
  'the lines of a file, ASCII',
  new Corpus(logLine),
  'latin1',
);

export const fileLinesUtf8: Load = lines(
  'file-lines-utf8',
  'the lines of a file, letters of two bytes in each',
  new Corpus(umlautLine),
  'utf8',
);

// ── ndjson ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Flight {
  readonly id: number;
}

const flights: Corpus = new Corpus(flightJson, { value: (_, index) => index, isKept: true });

function countFlights(tally: Tally): (batch: readonly Flight[]) => void {
  return (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += (batch[i] as Flight).id;
    tally.count += batch.length;
    tally.sum += sum;
  };
}

function parseAll(texts: readonly string[]): Flight[] {
  const values = new Array<Flight>(texts.length);
  for (let i = 0; i < texts.length; i++) values[i] = JSON.parse(texts[i] as string) as Flight;
  return values;
}

export const fileNdjson: Load = {
  name: 'file-ndjson',
  title: 'the JSON values of a file, one a line',
  sinks: 1,
  warmUps: WARM_UPS,
  expects: flights,
  // What JSON.parse alone takes is the limit: there is no reading and no cutting in it.
  aims: { 'readline, JSON.parse': 1, 'chunks as text, split, JSON.parse': 0.8 },
  contestants: [
    {
      name: 'FileSource',
      run: (_, tallies) =>
        run(new FileSource<Flight>(flights.path, { format: 'ndjson' }), countFlights(only(tallies))),
    },
    {
      name: 'readline, JSON.parse',
      run: (_, tallies) => {
        const tally = only(tallies);
        return byReadline(flights.path, (line) => {
          tally.count += 1;
          tally.sum += (JSON.parse(line) as Flight).id;
        });
      },
    },
    {
      name: 'chunks as text, split, JSON.parse',
      run: (_, tallies) => {
        const count = countFlights(only(tallies));
        return bySplit(flights.path, 'latin1', (texts) => count(parseAll(texts)));
      },
    },
    {
      name: 'JSON.parse alone, of lines in memory',
      run: async (_, tallies) => {
        const count = countFlights(only(tallies));
        for (const texts of flights.batches) count(parseAll(texts));
      },
    },
  ],
};

// ── gunzip ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const zipped: Corpus = new Corpus(logLine, { isZipped: true });

/** Counts lines and their characters without making any. */
function countBytes(tally: Tally): (chunk: Uint8Array) => void {
  return (bytes) => {
    // Buffer searches much faster than a Uint8Array does.
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let found = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) found += 1;
    tally.count += found;
    tally.sum += chunk.length - found;
  };
}

async function countChunks(chunks: AsyncIterable<Uint8Array>, tally: Tally): Promise<void> {
  const count = countBytes(tally);
  for await (const chunk of chunks) count(chunk);
}

export const fileGunzip: Load = {
  name: 'file-gunzip',
  title: 'a file that is decompressed',
  sinks: 1,
  warmUps: WARM_UPS,
  expects: zipped,
  aims: { 'node:zlib, chunks of 256 KiB': 0.95 },
  contestants: [
    {
      name: 'FileSource, bytes',
      run: (_, tallies) => {
        const count = countBytes(only(tallies));
        return run(new FileSource(zipped.path, { format: 'bytes' }), (batch: readonly Uint8Array[]) => {
          for (const chunk of batch) count(chunk);
        });
      },
    },
    {
      name: 'gunzip',
      run: (_, tallies) =>
        countChunks(gunzip(createReadStream(zipped.path, { highWaterMark: CHUNK_BYTES })), only(tallies)),
    },
    {
      name: 'node:zlib, chunks of 256 KiB',
      run: (_, tallies) =>
        countChunks(
          createReadStream(zipped.path, { highWaterMark: CHUNK_BYTES }).pipe(
            createGunzip({ chunkSize: CHUNK_BYTES }),
          ),
          only(tallies),
        ),
    },
    {
      name: 'node:zlib, its defaults',
      run: (_, tallies) => countChunks(createReadStream(zipped.path).pipe(createGunzip()), only(tallies)),
    },
    {
      name: 'FileSource, lines',
      run: (_, tallies) => run(new FileSource(zipped.path), countLines(only(tallies))),
    },
  ],
};

// ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Hands out what is in memory, with positions: what is measured is the writing. */
class Kept implements Source<string, number> {
  readonly name = 'lines in memory';
  readonly #batches: readonly (readonly string[])[];
  #at = 0;

  constructor(batches: readonly (readonly string[])[]) {
    this.#batches = batches;
  }

  pull(): Positioned<string, number> | undefined {
    const items = this.#batches[this.#at];
    this.#at += 1;
    return items === undefined ? undefined : { items, position: this.#at };
  }
}

/** Contestants that write the lines of a corpus to a new file each time, which is compared with the corpus' own. */
class Writing {
  readonly #corpus: Corpus;
  #output = '';

  constructor(corpus: Corpus) {
    this.#corpus = corpus;
  }

  contestant(
    name: string,
    write: (path: string, batches: readonly (readonly string[])[]) => Promise<void>,
  ): Contestant {
    return {
      name,
      run: () => {
        this.#output = this.#corpus.makeOutput();
        return write(this.#output, this.#corpus.batches);
      },
      check: (tallies) => {
        const output = readFileSync(this.#output);
        if (output.equals(readFileSync(this.#corpus.path))) countBytes(only(tallies))(output);
        rmSync(dirname(this.#output), { recursive: true });
      },
    };
  }

  /** The same with FileSink. */
  sink(
    name: string,
    options: FileSinkOptions = {},
    isExactlyOnce: boolean = false,
    bufferSize: number = BUFFER,
  ): Contestant {
    return this.contestant(name, async (path, batches) => {
      const pipeline = new ConcurrentPipeline(new Kept(batches), new FileSink(path, options)).bufferSize(
        bufferSize,
      );
      if (isExactlyOnce) pipeline.checkpoint(new MemoryCheckpointStore(), 'bench');
      await pipeline.run();
    });
  }

  stream(): Contestant {
    return this.contestant('fs.WriteStream.write(line)', async (path, batches) => {
      const stream = createWriteStream(path);
      for (const batch of batches) {
        for (const line of batch) if (!stream.write(`${line}\n`)) await once(stream, 'drain');
      }
      stream.end();
      await once(stream, 'close');
    });
  }
}

const written: Corpus = new Corpus(logLine, { isKept: true });
const writing: Writing = new Writing(written);

export const fileWrite: Load = {
  name: 'file-write',
  title: 'lines written to a file',
  sinks: 1,
  warmUps: WARM_UPS,
  expects: written,
  aims: { 'fs.WriteStream.write(line)': 2 },
  contestants: [writing.sink('FileSink, synced and renamed'), writing.stream()],
};

const writtenOnce: Corpus = new Corpus(logLine, { isKept: true });
const writingOnce: Writing = new Writing(writtenOnce);

export const fileWriteOnce: Load = {
  name: 'file-write-once',
  title: 'lines written to a file, each exactly once, whatever stops the run',
  sinks: 1,
  // Each write is synced twice, and that is what takes the time.
  scale: 0.1,
  warmUps: WARM_UPS,
  expects: writtenOnce,
  aims: {},
  contestants: [
    writingOnce.sink('FileSink, writes of 500', {}, true),
    writingOnce.sink('FileSink, writes of 8000', {}, true, 16 * BUFFER),
    writingOnce.sink('FileSink, writes of 500, not synced', { fsync: 'never' }, true),
    writingOnce.stream(),
  ],
};
