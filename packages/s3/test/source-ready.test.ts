import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { S3Source } from '../src/source.ts';
import type { S3SourceOptions } from '../src/source-options.ts';
import { useReadings } from './reading.ts';
import { describeWithS3 } from './service.ts';

describeWithS3('Objects as they are ready', (buckets) => {
  const reading = useReadings();
  const LINES = 50;
  const seed = async (count: number): Promise<string> => {
    const prefix = `${randomUUID()}/`;
    for (let at = 0; at < count; at += 1)
      await buckets().put(
        `${prefix}${at}`,
        Array.from({ length: LINES }, (_, line) => `${at}:${line}\n`).join(''),
      );
    return prefix;
  };
  const source = (prefix: string, more: Partial<S3SourceOptions> = {}): S3Source<string> =>
    new S3Source({
      ...buckets().throughFaults,
      bucket: buckets().bucket,
      prefix,
      order: 'ready',
      ...more,
    });
  const due = (count: number): string[] =>
    Array.from({ length: count * LINES }, (_, at) => `${Math.floor(at / LINES)}:${at % LINES}`).toSorted();

  it('come in turns, each in its own order, as a lane named by its key and etag', async () => {
    const prefix = await seed(3);
    const run = await reading(source(prefix));
    expect((await run.readAll(10)).toSorted()).toEqual(due(3));
    for (const [lane, { key, etag, done }] of run.positions) {
      expect(lane).toBe(`s3://${buckets().bucket}/${key}@${etag.slice(1, -1)}`);
      expect(done).toBe(true);
      const own = run.answers.filter((answer) => answer.lane === lane).flatMap(({ items }) => items);
      expect(own).toEqual(
        due(3)
          .filter((line) => line.startsWith(`${key.at(-1)}:`))
          .toSorted(byLine),
      );
    }
    expect(run.positions.size).toBe(3);
  });

  it('do not wait for one that stalls', async () => {
    const prefix = await seed(4);
    const { faults } = buckets();
    const stalled = faults.plan({
      on: ({ operation, key }) => operation === 'GetObject' && key === `${prefix}0`,
      fault: { kind: 'stallBody', at: 10 },
    });
    const run = await reading(source(prefix));
    while (run.items.length < 3 * LINES) await run.pull();
    expect(run.items.some((line) => line.startsWith('0:'))).toBe(false);
    expect(stalled.met).toBe(1);
  });

  it('go on where each stands, and are not fetched again where they are done', async () => {
    const prefix = await seed(5);
    const run = await reading(source(prefix));
    while (run.items.length < 3.5 * LINES) await run.pull(20);
    const isDone = [...run.positions.values()].filter(({ done }) => done === true);
    buckets().faults.clear();
    const next = await reading(source(prefix), run.positions);
    expect([...run.items, ...(await next.readAll())].toSorted()).toEqual(due(5));
    const fetched = buckets().faults.requests.filter(({ operation }) => operation === 'GetObject');
    expect(fetched.length).toBe(5 - isDone.length);
  });

  it('are read again where they were replaced since, and fail the run where that was in the middle', async () => {
    const prefix = await seed(2);
    const all = await reading(source(prefix));
    await all.readAll();
    const some = await reading(source(prefix));
    await some.pull(1);
    for (const at of [0, 1]) await buckets().put(`${prefix}${at}`, 'new');
    const next = await reading(source(prefix), all.positions);
    expect(await next.readAll()).toEqual(['new', 'new']);
    const other = await reading(source(prefix), some.positions);
    await expect(other.readAll()).rejects.toMatchObject({ code: 'SW_S3_OBJECT_CHANGED' });
  });
});

function byLine(a: string, b: string): number {
  return Number(a.split(':')[1]) - Number(b.split(':')[1]);
}
