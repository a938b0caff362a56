import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { S3Position } from '../src/position.ts';
import { S3Source } from '../src/source.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

interface Item {
  readonly object: number;
  readonly n: number;
}

describeWithS3('S3Source', (buckets) => {
  const reading = useReadings();
  const linesOf = (object: number, count: number): string =>
    Array.from({ length: count }, (_, n) => `${JSON.stringify({ object, n })}\n`).join('');
  const seed = async (objects: number, count: number): Promise<string> => {
    const prefix = `${randomUUID()}/`;
    for (let object = 0; object < objects; object += 1)
      await buckets().put(`${prefix}${object}.ndjson`, linesOf(object, count));
    return prefix;
  };
  const source = (prefix: string): S3Source<Item> =>
    new S3Source<Item>({ ...buckets().reach, bucket: buckets().bucket, prefix, format: 'ndjson' });
  const due = (objects: number, count: number): Item[] =>
    Array.from({ length: objects * count }, (_, at) => ({ object: Math.floor(at / count), n: at % count }));

  it('reads the objects behind a prefix, in the order of their keys', async () => {
    const prefix = await seed(5, 100);
    const run = await reading(source(prefix));
    expect(await run.readAll(7)).toEqual(due(5, 100));
    expect(new Set(run.answers.map(({ lane }) => lane))).toEqual(
      new Set([`s3://${buckets().bucket}/${prefix}`]),
    );
  });

  it('may be run again: it reads all once more, and not nothing without a word', async () => {
    const own = source(await seed(2, 10));
    const first = await reading(own);
    expect(await first.readAll()).toEqual(due(2, 10));
    await first.close();
    const second = await reading(own);
    expect(await second.readAll()).toEqual(due(2, 10));
  });

  it('goes on inside an object', async () => {
    const prefix = await seed(3, 50);
    const first = await reading(source(prefix));
    while (first.items.length < 70) await first.pull(10);
    const [position] = first.positions.values() as Iterable<S3Position>;
    expect(position).toMatchObject({ key: `${prefix}1.ndjson`, record: 20 });
    const second = await reading(source(prefix), first.positions);
    expect(await second.readAll()).toEqual(due(3, 50).slice(70));
  });

  it('refuses positions of other objects, and says why', async () => {
    const prefix = await seed(1, 3);
    const { bucket } = buckets();
    const own = `s3://${bucket}/${prefix}`;
    const position: S3Position = { key: `${prefix}0.ndjson`, etag: '"1"', offset: 0, record: 0 };
    const ready = new S3Source<Item>({
      ...buckets().reach,
      bucket,
      prefix,
      format: 'ndjson',
      order: 'ready',
    });
    const listed = (): S3Source<Item> => source(prefix);
    for (const [made, lane, wrong, why] of [
      [listed(), `s3://${bucket}/other/`, position, 'it is no lane of this source'],
      [listed(), own, { ...position, key: 'elsewhere' }, 'its object is not behind the prefix'],
      [listed(), own, { ...position, index: 1, list: 'of keys' }, 'it is of a list'],
      [listed(), own, { ...position, index: 1 }, 'no position of an S3Source'],
      [listed(), own, { offset: 3 }, 'no position of an S3Source'],
      [ready, own, position, 'it is no lane of this source'],
    ] as const) {
      const opened = reading(made, new Map([[lane, wrong as S3Position]]));
      await expect(opened).rejects.toMatchObject({
        code: 'SW_S3_POSITION_INVALID',
        message: expect.stringContaining(why),
      });
      await made.close();
    }
  });

  it('takes options that make sense, and says which do not', () => {
    const { bucket } = buckets();
    const wrong: readonly Record<string, unknown>[] = [
      {},
      { bucket: '' },
      { bucket, prefix: 5 },
      { bucket, prefix: `s3://${bucket}/a/` },
      { bucket, prefix: 'S3A://other/a/' },
      { bucket: `s3://${bucket}` },
      { bucket: `${bucket}/a` },
      { bucket, endpoint: `https://${bucket}.s3.amazonaws.com` },
      { bucket, endpoint: `http://localhost:9000/${bucket}` },
      { bucket, keys: 'a' },
      { bucket, keys: 5 },
      { bucket, keys: [], prefix: 'a' },
      { bucket, keys: [], filter: () => true },
      { bucket, order: 'random' },
      { bucket, compression: 'zip' },
      { bucket, readAhead: { maxObjects: 41 } },
      { bucket, readAhead: { maxBytes: 0 } },
      { bucket, readAhead: { maxObject: 1 } },
      { bucket, after: 'remove' },
      { bucket, after: { tags: {} } },
      { bucket, after: { tags: { a: 1 } } },
      { bucket, format: 'xml' },
      { bucket, prefixes: 'a' },
    ];
    for (const options of wrong) {
      const make = (): unknown => new S3Source(options as never);
      expect(make, JSON.stringify(options)).toThrow(expect.objectContaining({ code: 'SW_OPTION_INVALID' }));
    }
    expect(new S3Source({ bucket, prefix: 'a/' }).name).toBe(`s3 ${bucket}/a/`);
    expect(new S3Source({ bucket, keys: ['a'] }).name).toBe(`s3 ${bucket}`);
  });
});
