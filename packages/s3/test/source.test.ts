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

  it('goes on inside an object', async () => {
    const prefix = await seed(3, 50);
    const first = await reading(source(prefix));
    while (first.items.length < 70) await first.pull(10);
    const [position] = first.positions.values() as Iterable<S3Position>;
    expect(position).toMatchObject({ key: `${prefix}1.ndjson`, record: 20 });
    const second = await reading(source(prefix), first.positions);
    expect(await second.readAll()).toEqual(due(3, 50).slice(70));
  });
});
