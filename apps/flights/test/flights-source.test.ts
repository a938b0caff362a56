import { fileURLToPath } from 'node:url';
import { collect, ConcurrentPipeline, type Positioned } from '@streamweld/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { Flight } from '../src/flight.ts';
import { FlightsSource } from '../src/flights-source.ts';

/** A row group of the file. */
const GROUP = 272_727;

const opened: FlightsSource[] = [];

function open(
  source: FlightsSource,
  resumeAt?: number,
  signal = new AbortController().signal,
): FlightsSource {
  opened.push(source);
  const positions = new Map(resumeAt === undefined ? [] : [['', resumeAt]]);
  source.open({ positions, signal, settled: async () => {}, endLane: () => {}, fail: () => {} });
  return source;
}

async function pullAll(source: FlightsSource, demand: number): Promise<Positioned<Flight, number>[]> {
  const answers = [];
  for (;;) {
    const answer = await source.pull(demand);
    if (answer === undefined) return answers;
    answers.push(answer);
  }
}

/** Threads that this process holds open. */
function threads(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker')
    .length;
}

afterEach(async () => {
  for (const source of opened.splice(0)) await source.close();
});

describe('FlightsSource', { timeout: 60_000 }, () => {
  it('answers flights with their row, local date, numbers and airports', async () => {
    const source = open(new FlightsSource({ limit: 10 }));
    expect(await source.pull(2)).toEqual({
      position: 2,
      items: [
        { row: 0, date: '2001-01-01T00:01', delay: 33, distance: 2176, origin: 'LAS', destination: 'PHL' },
        { row: 1, date: '2001-01-01T00:01', delay: 19, distance: 215, origin: 'ATL', destination: 'SAV' },
      ],
    });
  });

  it('answers at once when the rows are there, never more than demand, and ends at its limit', async () => {
    const source = open(new FlightsSource({ limit: 2500 }));
    await source.pull(1);
    expect(source.pull(1000)).not.toBeInstanceOf(Promise);
    const rest = await pullAll(source, 1000);
    expect(rest.map(({ items, position }) => [items.length, position])).toEqual([
      [1000, 2001],
      [499, 2500],
    ]);
  });

  it.each([0, 1, 2])(
    'keeps the order of rows and dates over row groups, reading %i ahead',
    async (readAhead) => {
      const limit = 2 * GROUP + 10;
      const source = open(new FlightsSource({ limit, readAhead }));
      let row = 0;
      let date = '';
      for (const { items } of await pullAll(source, 5000)) {
        for (const flight of items) {
          if (flight.row !== row || flight.date < date) expect.fail(`row ${flight.row} follows ${row - 1}`);
          row += 1;
          date = flight.date;
        }
      }
      expect(row).toBe(limit);
    },
  );

  it('resumes at a row, in the middle of a row group', async () => {
    const at = GROUP + 1234;
    const whole = open(new FlightsSource({ limit: at + 3 }));
    const resumed = open(new FlightsSource({ limit: at + 3 }), at);
    const expected = (await pullAll(whole, 5000)).flatMap(({ items }) => items).slice(-3);
    const actual = await pullAll(resumed, 5000);
    expect(actual).toEqual([{ items: expected, position: at + 3 }]);
    expect(actual[0]?.items[0]?.row).toBe(at);
  });

  it('has nothing where it resumes at its limit', async () => {
    expect(await open(new FlightsSource({ limit: 100 }), 100).pull(10)).toBeUndefined();
  });

  it('answers a pull that waits for the thread when it is stopped, and when the run is aborted', async () => {
    const stopped = open(new FlightsSource());
    const first = stopped.pull(10);
    stopped.stop();
    expect(await first).toBeUndefined();

    const controller = new AbortController();
    const aborted = open(new FlightsSource(), 0, controller.signal);
    const second = aborted.pull(10);
    controller.abort();
    expect(await second).toBeUndefined();
  });

  it('fails the pull with its cause when the thread fails', async () => {
    const source = open(new FlightsSource({ file: fileURLToPath(import.meta.url) }));
    const failure = await Promise.resolve(source.pull(10)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: 'The flights could not be decoded.',
      cause: { message: expect.stringContaining('parquet') },
    });
  });

  it('leaves no thread behind, whether its run ends, drains or is aborted', async () => {
    const before = threads();
    open(new FlightsSource());
    expect(threads()).toBeGreaterThan(before);
    await opened.pop()?.close();
    await new ConcurrentPipeline(new FlightsSource({ limit: 1000 }), collect<Flight>()).run();

    const drained = new ConcurrentPipeline(new FlightsSource(), () => void drained.drain());
    expect((await drained.run()).outcome).toBe('drained');

    const controller = new AbortController();
    const reason = new Error('enough');
    const aborted = new ConcurrentPipeline(new FlightsSource(), () => controller.abort(reason));
    await expect(aborted.run({ signal: controller.signal })).rejects.toBe(reason);

    expect(threads()).toBe(before);
  });

  it('lets the event loop turn while it decodes', async () => {
    const source = open(new FlightsSource({ limit: GROUP }));
    let turns = 0;
    let isDecoding = true;
    const turn = (): void => {
      turns += 1;
      if (isDecoding) setImmediate(turn);
    };
    setImmediate(turn);
    await source.pull(1);
    isDecoding = false;
    // Decoded on this thread, a row group would be one turn; in its own it leaves thousands.
    expect(turns).toBeGreaterThan(50);
  });
});
