import { from, isStreamWeldError } from '@streamweld/core';
import { inWorkers, type WorkersOptions } from '@streamweld/workers';
import { describe, expect, it } from 'vitest';
import type batches from './children/batches.js';
import type counting from './children/counting.js';
import type work from './children/work.js';
import { child, Items, ran, shared, upTo } from './run.ts';

type Act = NonNullable<Parameters<typeof work>[0]['act']>;

const stage = (options: Omit<WorkersOptions, 'takes' | 'transfer'> = {}) =>
  inWorkers<typeof work>(child('work.js'), { threads: 2, batchSize: 20, ...options });

/** Twenty items, one of which acts. */
const twenty = (act: Act) => upTo(20).map((n) => (n === 13 ? { n, act } : { n }));

/** What such a run comes to, that goes on without the item. */
async function without(act: Act, options: Parameters<typeof stage>[0] = {}) {
  const source = new Items(twenty(act));
  const run = await ran(from(source).through(stage(options), { onError: 'deadLetter' }));
  return { ...run, source };
}

describe('an error that the function throws', () => {
  it('fails the run, with its message, name, code, stack and cause', async () => {
    const failed = ran(from(twenty('throw')).through(stage()));
    const error = await failed.then(undefined, (reason: unknown) => reason);
    if (!isStreamWeldError(error)) throw error;
    expect([error.code, error.stage]).toEqual(['SW_OPERATOR_FAILED', 'workers']);
    const cause = error.cause as Error & { code?: string };
    expect(cause).toBeInstanceOf(Error);
    expect([cause.name, cause.message, cause.code]).toEqual(['TypeError', 'no 13', 'E_ODD']);
    expect(cause.stack).toMatch(/TypeError: no 13\n.*work \(.*children\/work\.js/);
    expect(cause.cause).toMatchObject({ name: 'Error', message: 'the reason' });
  });

  it.each([
    ['throw', 'TypeError', 'no 13'],
    ['reject', 'RangeError', 'not 13'],
    ['throw text', 'string', 'a text'],
    ['refuse', 'Error', 'refused 13'],
  ] as const)('is that of its item alone: %s', async (act, name, message) => {
    const { items, letters, source, report } = await without(act);
    expect(items.map(({ n }) => n)).toEqual(upTo(20).filter((n) => n !== 13));
    expect(letters.map(({ item, stage: at, upTo: to }) => [item, at, to])).toEqual([
      [{ n: 13, act }, 'workers', 20],
    ]);
    expect(letters[0]?.error.name).toBe(name);
    if (name !== 'string') expect(letters[0]?.error.message).toBe(message);
    expect([report.deadLettered, source.commits.at(-1)]).toEqual([1, 20]);
  });

  it('is an error of StreamWeld again, where it was one', async () => {
    const error = await ran(from(twenty('ours')).through(stage())).then(
      undefined,
      (reason: unknown) => reason,
    );
    if (!isStreamWeldError(error)) throw error;
    expect([error.code, error.stage, error.message]).toEqual([
      'SW_FORMAT_INVALID_JSON',
      'parse',
      'one of ours',
    ]);
    expect(error.details).toEqual({ record: 13 });
  });

  it('is dropped with its item and counted, where that is wished', async () => {
    const { items, report } = await ran(from(twenty('throw')).through(stage(), { onError: 'drop' }));
    expect([items.length, report.dropped]).toEqual([19, 1]);
  });

  it('is tried again as often as attempts say, and no other item with it', async () => {
    const data = shared(20);
    const counted = inWorkers<typeof counting>(child('counting.js'), { threads: 2, attempts: 3, data });
    const items = upTo(20).map((n) => ({ n, fails: n === 5 ? 2 : n === 6 ? 3 : 0 }));
    const run = await ran(from(items).through(counted, { onError: 'deadLetter' }));
    expect(run.items).toEqual(upTo(20).filter((n) => n !== 6));
    expect(run.letters.map(({ error }) => error.message)).toEqual(['failure 3 of 6']);
    expect([...data]).toEqual(upTo(20).map((n) => (n === 5 || n === 6 ? 3 : 1)));
  });

  it('is not tried again where it says that it is not retryable', async () => {
    const { letters } = await without('final', { attempts: 1000 });
    expect(letters.map(({ error }) => error.message)).toEqual(['never 13']);
  });
});

describe('a thread that dies', () => {
  it.each([
    ['exit', 'SW_WORKERS_THREAD_EXITED'],
    ['uncaught', 'SW_WORKERS_THREAD_CRASHED'],
    ['uncaught null', 'SW_WORKERS_THREAD_CRASHED'],
    ['memory', 'SW_WORKERS_OUT_OF_MEMORY'],
  ] as const)('costs the one item that it died of: %s', async (act, code) => {
    const { items, letters, source } = await without(act, { resourceLimits: { maxOldGenerationSizeMb: 16 } });
    expect(items.map(({ n }) => n)).toEqual(upTo(20).filter((n) => n !== 13));
    expect(letters.map(({ item, error }) => [item, error.code])).toEqual([[{ n: 13, act }, code]]);
    expect(source.commits.at(-1)).toBe(20);
  });

  it('is one that took longer than it was given', async () => {
    const { items, letters, source } = await without('loop', { timeoutMs: 1000 });
    expect(items.map(({ n }) => n)).toEqual(upTo(20).filter((n) => n !== 13));
    expect(letters.map(({ item, error }) => [(item as { n: number }).n, error.code])).toEqual([
      [13, 'SW_WORKERS_TIMEOUT'],
    ]);
    expect(source.commits.at(-1)).toBe(20);
  });

  it('fails the run with its code, and what it died of as the cause', async () => {
    await expect(ran(from(twenty('uncaught')).through(stage()))).rejects.toMatchObject({
      code: 'SW_WORKERS_THREAD_CRASHED',
      stage: 'workers',
      cause: { message: 'nobody caught it' },
    });
    await expect(ran(from(twenty('exit')).through(stage()))).rejects.toMatchObject({
      code: 'SW_WORKERS_THREAD_EXITED',
      details: { exitCode: 3 },
    });
  });

  it('is no matter where the item does well in the next', async () => {
    const data = shared(100);
    const counted = inWorkers<typeof counting>(child('counting.js'), { threads: 2, batchSize: 1, data });
    const items = upTo(100).map((n) => ({ n, exits: n % 10 === 3 ? 1 : 0 }));
    expect((await ran(from(items).through(counted))).items).toEqual(upTo(100));
    expect([...data]).toEqual(upTo(100).map((n) => (n % 10 === 3 ? 2 : 1)));
  });

  it('counts for an item as an attempt, of as many as there are', async () => {
    const data = shared(1);
    const counted = inWorkers<typeof counting>(child('counting.js'), { threads: 1, attempts: 4, data });
    const run = await ran(from([{ n: 0, exits: 9 }]).through(counted, { onError: 'deadLetter' }));
    expect([run.letters.length, data[0]]).toEqual([1, 4]);
  });

  it('fails the run where items were in it that are nowhere else, and no position passes them', async () => {
    const source = new Items(upTo(20).map((n) => ({ n, bytes: new Uint8Array(8), act: 'exit' as const })));
    const moved = inWorkers<(item: { n: number; bytes: Uint8Array<ArrayBuffer> }) => number>(
      child('work.js'),
      {
        transfer: ({ bytes }) => [bytes],
      },
    );
    await expect(ran(from(source).through(moved, { onError: 'drop' }))).rejects.toMatchObject({
      code: 'SW_WORKERS_ITEMS_LOST',
      cause: { code: 'SW_WORKERS_THREAD_EXITED' },
    });
    expect(source.commits).toEqual([]);
  });

  it('fails the run also after it has answered: what it left undone nobody knows', async () => {
    const died = new Promise((resolve) => {
      process.once('worker', (thread) => thread.once('exit', resolve));
    });
    async function* items(): AsyncGenerator<{ n: number; act: 'late throw' }> {
      yield { n: 1, act: 'late throw' };
      await died;
    }
    await expect(ran(from(items()).through(stage(), { onError: 'drop' }))).rejects.toMatchObject({
      code: 'SW_WORKERS_THREAD_CRASHED',
      cause: { message: 'after its answer' },
    });
  });
});

describe('what cannot be copied', () => {
  it('is refused with the way to it, and the others are sent', async () => {
    const items = upTo(20).map((n) => (n === 7 ? { n, deep: { list: [1, () => n] } } : { n }));
    const run = await ran(from(items).through(stage(), { onError: 'deadLetter' }));
    expect(run.items.map(({ n }) => n)).toEqual(upTo(20).filter((n) => n !== 7));
    expect(run.letters.map(({ item }) => item)).toEqual([items[7]]);
    expect(run.letters[0]?.error).toMatchObject({
      code: 'SW_WORKERS_ITEM_UNCLONEABLE',
      details: { path: 'deep.list.1' },
    });
    expect(run.letters[0]?.error.message).toContain('at deep.list.1 it has a function');
  });

  it('fails the run, where nothing else is said', async () => {
    const items = [{ n: 1, call: () => 1 }];
    await expect(ran(from(items).through(stage()))).rejects.toMatchObject({
      code: 'SW_WORKERS_ITEM_UNCLONEABLE',
      stage: 'workers',
    });
  });

  it('does not end a thread where it is the result', async () => {
    const { items, letters } = await without('function', { threads: 1 });
    expect(items.map(({ n }) => n)).toEqual(upTo(20).filter((n) => n !== 13));
    expect(new Set(items.map(({ thread }) => thread)).size).toBe(1);
    expect(letters.map(({ item, error }) => [(item as { n: number }).n, error.code])).toEqual([
      [13, 'SW_WORKERS_RESULT_UNCLONEABLE'],
    ]);
  });
});

describe("takes: 'batch'", () => {
  type Item = Parameters<typeof batches>[0][number];
  const run = async (items: readonly Item[], attempts = 1) => {
    const flow = from(items).through(
      inWorkers<typeof batches>(child('batches.js'), { threads: 1, takes: 'batch', attempts }),
      { onError: 'deadLetter' },
    );
    const { items: results, letters } = await ran(flow);
    return { numbers: results.filter((each) => typeof each === 'number'), letters };
  };
  const good = upTo(16);

  it('gives up the items that the function refuses', async () => {
    const { numbers, letters } = await run([...good, 'refuse']);
    expect(numbers).toEqual(good);
    expect(letters.map(({ item, error }) => [item, error.message])).toEqual([['refuse', 'not that one']]);
  });

  it('loses nothing of a batch, one of whose items is tried again', async () => {
    const { numbers, letters } = await run(['refuse', ...good], 2);
    expect([numbers, letters.length]).toEqual([good, 1]);
  });

  it.each([
    ['throw', undefined],
    ['exit', 'SW_WORKERS_THREAD_EXITED'],
    ['function', 'SW_WORKERS_RESULT_UNCLONEABLE'],
  ] as const)('halves a batch until the item is found: %s', async (bad, code) => {
    const { numbers, letters } = await run([...good.slice(0, 5), bad, ...good.slice(5)]);
    expect(numbers).toEqual(good);
    expect(letters.map(({ item, error }) => [item, error.code])).toEqual([[bad, code]]);
  });

  it('fails where the answer is no array', async () => {
    await expect(run(['none'])).rejects.toMatchObject({ code: 'SW_WORKERS_RESULT_INVALID' });
  });
});
