/** The suite on the sources of core, and on whatever becomes one. */

import { Readable } from 'node:stream';
import { generate, range, repeat, type SourceLike } from '@streamweld/core';
import { toSource } from '@streamweld/core/connector';
import { type SeededPlace, type SourceHarness, sourceSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';

const START = 100;

sourceSuite<number, number>({ describe, test }, 'range', {
  seed: (count) => ({
    items: Array.from({ length: count }, (_, index) => START + index),
    create: () => range(START, START + count),
  }),
  absurdPositions: (_, { items }) => [
    START - 1,
    START + items.length + 1,
    START + 0.5,
    Number.POSITIVE_INFINITY,
  ],
});

/** What a place of the tests counts, and what is added to it later. */
class Shelf {
  readonly items: string[] = [];
  taken = 0;
  onGrown: () => void = () => {};

  constructor(count: number) {
    this.grow(count);
  }

  grow(count: number): string[] {
    const grown = Array.from(
      { length: count },
      (_, index) => `something number ${this.items.length + index}`,
    );
    this.items.push(...grown);
    this.onGrown();
    return grown;
  }

  take(at: number): string | undefined {
    if (at >= this.items.length) return undefined;
    this.taken += 1;
    return this.items[at];
  }

  *each(): Generator<string> {
    for (let at = 0; at < this.items.length; at += 1) yield this.take(at) as string;
  }

  /** Waits for more at the end. */
  async *eachToCome(): AsyncGenerator<string> {
    for (let at = 0; ; at += 1) {
      while (at === this.items.length) {
        await new Promise<void>((resolve) => {
          this.onGrown = resolve;
        });
      }
      yield this.take(at) as string;
    }
  }
}

interface Shelved extends SeededPlace<string> {
  readonly shelf: Shelf;
}

const shelfOf = (place: SeededPlace<string>): Shelf => (place as Shelved).shelf;

function shelved(create: (shelf: Shelf) => SourceLike<string>): SourceHarness<string> {
  return {
    seed: (count): Shelved => {
      const shelf = new Shelf(count);
      return { shelf, items: [...shelf.items], create: () => toSource(create(shelf)) };
    },
    countTaken: (place) => shelfOf(place).taken,
    // A stream of Node takes an event and a turn for each item.
    largeCount: 20_000,
  };
}

function endless(create: (shelf: Shelf) => SourceLike<string>): SourceHarness<string> {
  return { ...shelved(create), grow: (place, count) => shelfOf(place).grow(count) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const ENDING: Record<string, (shelf: Shelf) => SourceLike<string>> = {
  'an array': (shelf) => shelf.items,
  'a set': (shelf) => new Set(shelf.items),
  'a generator': (shelf) => shelf.each(),
  'an async iterable': async function* (shelf) {
    for (const item of shelf.each()) {
      await turn();
      yield item;
    }
  },
  'a web stream': (shelf) => {
    const items = shelf.each();
    return new ReadableStream<string>(
      {
        pull(controller) {
          const { done, value } = items.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
      },
      { highWaterMark: 1 },
    );
  },
  'a stream of Node': (shelf) => Readable.from(shelf.each()),
  generate: (shelf) => generate((index) => shelf.take(index)),
  'generate with promises': (shelf) =>
    generate(async (index) => {
      await turn();
      return shelf.take(index);
    }),
};

for (const [name, create] of Object.entries(ENDING)) {
  sourceSuite({ describe, test }, `${name} as a source`, shelved(create));
}

sourceSuite({ describe, test }, 'repeat', {
  seed: (count) => ({
    items: new Array<string>(count).fill('the same again'),
    create: () => repeat('the same again', count),
  }),
});

const ENDLESS: Record<string, (shelf: Shelf) => SourceLike<string>> = {
  'an async iterable': (shelf) => shelf.eachToCome(),
  'a web stream': (shelf) => {
    let at = 0;
    let isOver = false;
    return new ReadableStream<string>(
      {
        async pull(controller) {
          while (at === shelf.items.length && !isOver) {
            await new Promise<void>((resolve) => {
              shelf.onGrown = resolve;
            });
          }
          if (!isOver) controller.enqueue(shelf.take(at++) as string);
        },
        cancel() {
          isOver = true;
          shelf.onGrown();
        },
      },
      { highWaterMark: 1 },
    );
  },
  'a stream of Node': (shelf) => {
    let at = 0;
    return new Readable({
      objectMode: true,
      highWaterMark: 16,
      read() {
        const push = (): void => {
          if (this.destroyed) return;
          if (at < shelf.items.length) this.push(shelf.take(at++));
          else shelf.onGrown = push;
        };
        push();
      },
    });
  },
};

for (const [name, create] of Object.entries(ENDLESS)) {
  sourceSuite({ describe, test }, `${name} without an end as a source`, endless(create));
}
