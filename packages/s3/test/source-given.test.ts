import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { S3Source } from '../src/source.ts';
import type { ObjectKey, S3SourceOptions } from '../src/source-options.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('Objects whose keys are given', (buckets) => {
  const reading = useReadings();
  const seed = async (count: number): Promise<string[]> => {
    const prefix = `${randomUUID()}/`;
    const keys = Array.from({ length: count }, (_, at) => `${prefix}${count - at}`);
    for (const key of keys) await buckets().put(key, `first of ${key}\nsecond of ${key}\n`);
    return keys;
  };
  const linesOf = (keys: readonly string[]): string[] =>
    keys.flatMap((key) => [`first of ${key}`, `second of ${key}`]);
  const source = (
    keys: Iterable<ObjectKey> | AsyncIterable<ObjectKey>,
    more: Partial<S3SourceOptions> = {},
  ): S3Source<string> =>
    new S3Source({ ...buckets().throughFaults, bucket: buckets().bucket, keys, ...more });
  const etagOf = async (key: string): Promise<string> => {
    const run = await reading(source([key]));
    return (await run.pull())?.position.etag as string;
  };
  async function* later<T>(values: readonly T[]): AsyncGenerator<T> {
    for (const value of values) {
      await Promise.resolve();
      yield value;
    }
  }
  const gets = (key: string): number =>
    buckets().faults.requests.filter((each) => each.operation === 'GetObject' && each.key === key).length;

  it('are read in the order of a list, a set or a generator, an object as often as it stands there', async () => {
    const keys = await seed(4);
    const twice = [...keys, keys[0] as string];
    expect(await (await reading(source(twice))).readAll(1)).toEqual(linesOf(twice));
    expect(await (await reading(source(new Set(keys)))).readAll()).toEqual(linesOf(keys));
    const generated = (function* () {
      yield* keys;
    })();
    const run = await reading(source(generated));
    expect(await run.readAll()).toEqual(linesOf(keys));
    expect(new Set(run.positions.keys())).toEqual(new Set([`s3://${buckets().bucket}`]));
  });

  it('go on at their place in the list', async () => {
    const [a, b, c] = (await seed(3)) as [string, string, string];
    const list = [a, b, a, c];
    const run = await reading(source(list));
    while (run.items.length < 5) await run.pull(1);
    const next = await reading(source(list), run.positions);
    expect(await next.readAll()).toEqual(linesOf(list).slice(5));
  });

  it('are refused where the list is another one', async () => {
    const keys = await seed(3);
    const run = await reading(source(keys));
    while (run.items.length < 3) await run.pull(1);
    // Of the last, the place is the same, and what was read before is another.
    const mixed = [keys[2] as string, keys[1] as string, keys[0] as string];
    for (const other of [keys.toReversed().slice(1), keys.slice(0, 1), [], mixed]) {
      const next = await reading(source(other), run.positions);
      await expect(next.readAll()).rejects.toMatchObject({ code: 'SW_S3_POSITION_INVALID' });
      expect(next.items).toEqual([]);
    }
  });

  it('may have become more since, behind the place', async () => {
    const keys = await seed(3);
    const run = await reading(source(keys.slice(0, 2)));
    while (run.items.length < 3) await run.pull(1);
    const next = await reading(source(keys), run.positions);
    expect(await next.readAll()).toEqual(linesOf(keys).slice(3));
  });

  it('of two queues are told apart by the names of their sources, and of two buckets by the bucket', async () => {
    const [a, b] = (await seed(2)) as [string, string];
    const run = await reading(source(later([a]), { name: 'orders' }));
    await run.pull(1);
    const { bucket } = buckets();
    const other = new S3Source({ ...buckets().reach, bucket: `${bucket}-2`, keys: later([b]) });
    for (const [made, lane] of [
      [source(later([b]), { name: 'invoices' }), `invoices: s3://${bucket}/${a}@`],
      [other, `s3://${bucket}-2/${a}@`],
    ] as const) {
      await expect(reading(made, run.positions)).rejects.toMatchObject({
        code: 'SW_S3_POSITION_INVALID',
        message: expect.stringContaining(lane),
      });
      await made.close();
    }
    const same = await reading(source(later([b]), { name: 'orders' }), run.positions);
    expect(await same.readAll()).toEqual(linesOf([a, b]).slice(1));
  });

  it('fail the run where there is none, when all before it was handed out', async () => {
    const keys = await seed(2);
    const run = await reading(source([...keys, 'not there']));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_MISSING', key: 'not there' });
    expect(run.items).toEqual(linesOf(keys));
  });

  it.each(['', 5, null, {}])('fail the run where one is none: %j', async (key) => {
    const run = await reading(source([key as string]));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_KEY_INVALID' });
  });

  it('are of one version alone, where its etag is given, also as notices have it', async () => {
    const [key] = (await seed(1)) as [string];
    const etag = await etagOf(key);
    for (const its of [etag, etag.replaceAll('"', '')])
      expect(await (await reading(source([{ key, etag: its }]))).readAll()).toEqual(linesOf([key]));
    await buckets().put(key, 'another');
    const run = await reading(source([{ key, etag }]));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CHANGED', key });
  });

  it('come by and by, each as a lane of its own', async () => {
    const keys = await seed(3);
    const run = await reading(source(later(keys)));
    expect(await run.readAll()).toEqual(linesOf(keys));
    expect([...run.positions.values()].map(({ key, done }) => ({ key, done }))).toEqual(
      keys.map((key) => ({ key, done: true })),
    );
  });

  it('that come again are not read again, unless there is something new', async () => {
    const [a, b] = (await seed(2)) as [string, string];
    const run = await reading(source(later([a, b, a])));
    // Of two that are fetched at once the first to come is read: that may be the later one.
    expect((await run.readAll()).toSorted()).toEqual(linesOf([a, b]).toSorted());
    // In another run too, and with an etag they are not even asked for.
    const etag = await etagOf(a);
    buckets().faults.clear();
    const next = await reading(source(later<ObjectKey>([{ key: a, etag }, b])), run.positions);
    expect(await next.readAll()).toEqual([]);
    expect([gets(a), gets(b)]).toEqual([0, 1]);
    await buckets().put(a, 'something new');
    const last = await reading(source(later([a, b])), run.positions);
    expect(await last.readAll()).toEqual(['something new']);
  });

  it('that were begun are read to their end, whether they are given again or not', async () => {
    const [a, b] = (await seed(2)) as [string, string];
    const run = await reading(source(later([a])));
    await run.pull(1);
    for (const again of [[a, b], [b]]) {
      const next = await reading(source(later(again)), run.positions);
      expect(await next.readAll()).toEqual(linesOf([a, b]).slice(1));
    }
  });

  it('may come without end: a stop and a close do not wait for the next', async () => {
    const [key] = (await seed(1)) as [string];
    let isReturned = false;
    const given = [key];
    const queue: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = given.shift();
          return value === undefined ? new Promise<never>(() => {}) : { done: false, value };
        },
        return: async () => {
          isReturned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const run = await reading(source(queue));
    while (run.items.length < 2) await run.pull();
    const outstanding = run.readAll();
    run.source.stop();
    expect(await outstanding).toEqual(linesOf([key]));
    await run.close();
    expect(isReturned).toBe(true);
  });

  it('fail the run with what whoever gives them threw', async () => {
    const keys = await seed(1);
    async function* broken(): AsyncGenerator<string> {
      yield* keys;
      throw new Error('the queue broke');
    }
    const run = await reading(source(broken()));
    await expect(run.readAll()).rejects.toThrow('the queue broke');
    expect(run.items).toEqual(linesOf(keys));
  });
});
