/** The suite on the sinks of core, on whatever becomes one, and on what feeds a dispatcher. */

import { Writable } from 'node:stream';
import {
  collect,
  type CollectSink,
  count,
  type CountSink,
  DispatchedPipelineBuilder,
  type Sink,
  type SinkLike,
} from '@streamweld/core';
import { Deferred } from '@streamweld/core/connector';
import { type SinkHarness, sinkSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';
import { type Row, rowOf, Table } from './sinks/table.ts';
import { AtomicSink } from './sinks/table-sinks.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

sinkSuite({ describe, test }, 'collect', {
  prepare: (): CollectSink<Row>[] => [],
  create: (sinks) => {
    const sink = collect<Row>();
    sinks.push(sink);
    return sink;
  },
  item: rowOf,
  read: (sinks) => sinks.flatMap(({ items }) => items),
  forget: (sinks) => {
    for (const { items } of sinks) items.length = 0;
  },
});

sinkSuite({ describe, test }, 'count', {
  prepare: (): CountSink[] => [],
  create: (sinks) => {
    const sink = count();
    sinks.push(sink);
    return sink;
  },
  item: rowOf,
  // Of an item no more is known than that it came.
  essenceOf: () => 'an item',
  read: (sinks) => sinks.flatMap((sink) => new Array<string>(sink.count).fill('an item')),
});

/** What streams and functions of the tests write to: after a turn, unless it is stalled. */
class Shelf {
  rows: Row[] = [];
  stalled: Deferred | undefined;

  async put(rows: readonly Row[]): Promise<void> {
    await turn();
    await this.stalled?.promise;
    this.rows.push(...rows);
  }
}

function shelved(create: (shelf: Shelf) => SinkLike<Row>): SinkHarness<Row, Shelf> {
  return {
    prepare: () => new Shelf(),
    create,
    item: rowOf,
    read: ({ rows }) => rows,
    stall: (shelf) => {
      const stalled = new Deferred();
      shelf.stalled = stalled;
      return () => {
        shelf.stalled = undefined;
        stalled.resolve();
      };
    },
    forget: (shelf) => {
      shelf.rows = [];
    },
    deadlineMs: 1000,
    // A stream takes a turn for each item.
    largeCount: 20_000,
  };
}

sinkSuite(
  { describe, test },
  'a web stream as a sink',
  shelved((shelf) => new WritableStream<Row>({ write: (row) => shelf.put([row]) })),
);

sinkSuite(
  { describe, test },
  'a web stream with room as a sink',
  shelved((shelf) => new WritableStream<Row>({ write: (row) => shelf.put([row]) }, { highWaterMark: 8 })),
);

sinkSuite(
  { describe, test },
  'a stream of Node as a sink',
  shelved(
    (shelf) =>
      new Writable({
        objectMode: true,
        write: (row: Row, _encoding, done) => void shelf.put([row]).then(() => done(), done),
      }),
  ),
);

const { stall: _, ...unstalled } = shelved((shelf) => (batch: readonly Row[]) => shelf.put(batch));
sinkSuite({ describe, test }, 'a function of a batch as a sink', unstalled);

/** Dispatchers, each with the sinks that are subscribed to it; each sink has a table of its own. */
class Hall {
  readonly tables: readonly Table[] = [new Table(), new Table()];

  all(change: (table: Table) => void): void {
    for (const table of this.tables) change(table);
  }

  /** What all of a broadcast have. */
  get shared(): Row[] {
    const [one = [], other = []] = this.tables.map((table) => table.read());
    const ids = new Set(other.map(({ id }) => id));
    return one.filter(({ id }) => ids.has(id));
  }

  /** Of sinks that share the items none knows what came first at another. */
  get together(): Row[] {
    return this.tables.flatMap((table) => table.read()).toSorted((a, b) => a.id - b.id);
  }
}

type Feed = (builder: DispatchedPipelineBuilder<Row>, sinks: readonly Sink<Row>[]) => Promise<Sink<Row>>;

/** Not with a checkpoint: only a run of its own can feed such a dispatcher, so nobody can drive it by hand. */
function dispatched(feed: Feed, read: (hall: Hall) => Row[]): SinkHarness<Row, Hall> {
  return {
    prepare: () => new Hall(),
    create: (hall) =>
      feed(
        new DispatchedPipelineBuilder({ logger: null }),
        hall.tables.map((table) => new AtomicSink(table)),
      ),
    item: rowOf,
    read,
    cleanUp: (hall) => hall.all((table) => table.kill()),
    kill: (hall) => hall.all((table) => table.kill()),
    interrupt: ({ tables }) => {
      for (const table of tables.slice(1)) table.failsNext = true;
    },
    stall: (hall) => {
      const releases = hall.tables.map((table) => table.stall());
      return () => {
        for (const release of releases) release();
      };
    },
    forget: (hall) => hall.all((table) => void (table.rows = [])),
    deadlineMs: 1000,
    largeCount: 20_000,
  };
}

const NAMES = ['one', 'other'] as const;
const options = (index: number): { name: string } => ({ name: NAMES[index % 2] as string });

const toAll: Feed = async (builder, sinks) => {
  const dispatcher = builder.broadcast();
  for (const [index, sink] of sinks.entries())
    await dispatcher.subscribeSink(sink, undefined, options(index));
  return dispatcher.createSink(100);
};

const toWhoeverHasRoom: Feed = async (builder, sinks) => {
  const dispatcher = builder.demand();
  for (const sink of sinks) await dispatcher.subscribeSink(sink);
  return dispatcher.createSink(100);
};

const toPartitions =
  (key?: (row: Row) => number): Feed =>
  async (builder, sinks) => {
    const dispatcher = builder.partition(NAMES, ({ id }) => NAMES[id % 2] as 'one', { key });
    for (const [index, sink] of sinks.entries())
      await dispatcher.subscribeSink(sink, NAMES[index % 2] as 'one', options(index));
    return dispatcher.createSink(100);
  };

sinkSuite(
  { describe, test },
  'a broadcast',
  dispatched(toAll, (hall) => hall.shared),
);
sinkSuite(
  { describe, test },
  'a demand dispatcher',
  dispatched(toWhoeverHasRoom, (hall) => hall.together),
);
sinkSuite(
  { describe, test },
  'partitions',
  dispatched(toPartitions(), (hall) => hall.together),
);
sinkSuite(
  { describe, test },
  'partitions with a key',
  dispatched(
    toPartitions(({ id }) => id % 8),
    (hall) => hall.together,
  ),
);
