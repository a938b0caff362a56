/** A sink that would write twice under one key. */

import { describe, expect, it } from 'vitest';
import { S3Sink } from '../src/sink.ts';
import type { S3Part } from '../src/sink-key.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readItems, readLedger } from './writing.ts';

describe('S3Sink', () => {
  it('refuses a key without {by} where there is a by', () => {
    const by = (): string => 'a';
    expect(() => new S3Sink({ bucket: 'some', key: '{sequence}', by })).toThrow(
      /^key must be a key with {by}/,
    );
    new S3Sink({ bucket: 'some', key: '{by}/{sequence}', by });
  });

  it('refuses a key that is a URL: the bucket would be a part of it', () => {
    expect(() => new S3Sink({ bucket: 'some', key: 's3://some/out/{sequence}' })).toThrow(
      /^key must be a key, without the bucket, got/,
    );
  });
});

describeWithS3('The keys of S3Sink', (buckets) => {
  let places = 0;
  const place = (): string => `place-${places++}/`;
  const open = (
    prefix: string,
    key: (part: S3Part) => string,
    more: Partial<S3SinkOptions<Item>> = {},
    context: { checkpoint?: string } = {},
  ): Promise<Driven> =>
    new Driven(
      new S3Sink<Item>({
        ...buckets().reach,
        bucket: buckets().bucket,
        name: 'twice',
        key: (part: S3Part) => `${prefix}${key(part)}`,
        format: 'ndjson',
        ledger: `${prefix}ledger.json`,
        ...more,
      } as S3SinkOptions<Item> & { format: 'ndjson' }),
    ).open(context);
  const by = ({ id }: Item): string => (id % 2 === 0 ? 'even' : 'odd');
  const repeated = (key: string): object => ({
    code: 'SW_S3_KEY_REPEATED',
    stage: 'twice',
    key,
    message: expect.stringContaining(JSON.stringify(key)),
  });

  it.each([true, false])(
    'are told apart while two objects are open (conditional: %s)',
    async (conditional) => {
      const prefix = place();
      const driven = await open(prefix, () => 'same', { by, conditional });
      await expect(driven.write(items(0, 2))).rejects.toMatchObject(repeated(`${prefix}same`));
      expect(driven.failures).toMatchObject([repeated(`${prefix}same`)]);
      await driven.abort();
      expect(await objectKeys(buckets(), prefix)).toEqual([]);
    },
  );

  it('are told apart from those of objects that are there', async () => {
    const prefix = place();
    const driven = await open(prefix, () => 'same', { roll: { maxItems: 1 } });
    await driven.write(items(0, 1));
    await driven.flush();
    await driven.write(items(1, 2));
    await expect(driven.flush()).rejects.toMatchObject(repeated(`${prefix}same`));
    await driven.abort();
    expect(await readItems(buckets(), prefix)).toEqual(items(0, 1));
  });

  const EXACTLY_ONCE = { checkpoint: 'numbers' };

  it('are told apart in one write, before anything of it is written', async () => {
    const prefix = place();
    const driven = await open(prefix, ({ sequence }) => `${sequence}`, { by }, EXACTLY_ONCE);
    await expect(driven.write(items(0, 2), { positions: { a: 2 } })).rejects.toMatchObject(
      repeated(`${prefix}1`),
    );
    await driven.abort();
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
    expect(await readLedger(buckets(), `${prefix}ledger.json`)).toMatchObject({ next: 1, pending: [] });
  });

  it('have the number in them where items are written exactly once, or the key of a write that was taken back came again', async () => {
    const prefix = place();
    const driven = await open(prefix, ({ positions }) => `${Number(positions.get('a'))}`, {}, EXACTLY_ONCE);
    await expect(driven.write(items(0, 2), { positions: { a: 2 } })).rejects.toMatchObject(
      repeated(`${prefix}2`),
    );
    await driven.abort();
    expect(await objectKeys(buckets(), prefix)).toEqual([]);
  });
});
