/** The parts that Node's contestants are made of. */

import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { BATCH, BUFFER } from './sizes.ts';
import type { BatchSink, ItemSink } from './sinks.ts';

/** Pushes as long as there is room, which is faster than `Readable.from` over a generator. */
export function readIntegers(items: number): Readable {
  let next = 0;
  return new Readable({
    objectMode: true,
    highWaterMark: BUFFER,
    read() {
      while (next < items) if (!this.push(next++)) return;
      this.push(null);
    },
  });
}

/** One chunk is an array: batches by hand. */
export function readArrays(items: number): Readable {
  let next = 0;
  return new Readable({
    objectMode: true,
    highWaterMark: BUFFER / BATCH,
    read() {
      while (next < items) {
        const batch = integers(next, Math.min(items, next + BATCH));
        next += batch.length;
        if (!this.push(batch)) return;
      }
      this.push(null);
    },
  });
}

export function writeItems(sink: ItemSink): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: BUFFER,
    write(item: number, _encoding, done) {
      sink(item);
      done();
    },
  });
}

export function writeArrays(sink: BatchSink): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: BUFFER / BATCH,
    write(batch: readonly number[], _encoding, done) {
      sink(batch);
      done();
    },
  });
}

/** Ends the streams, and waits until they have finished. */
export async function endAll(streams: readonly Writable[]): Promise<void> {
  const finished = streams.map((stream) => once(stream, 'finish'));
  for (const stream of streams) stream.end();
  await Promise.all(finished);
}

export function integers(from: number, to: number): number[] {
  const numbers = new Array<number>(to - from);
  for (let i = 0; i < numbers.length; i++) numbers[i] = from + i;
  return numbers;
}
