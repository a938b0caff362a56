/** Whose a ledger is, and what happens to a sink that loses it, or has a store that keeps nobody out. */

import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import type { Condition, S3Store } from '../src/client.ts';
import { isCommitted } from '../src/ledger.ts';
import { S3Sink } from '../src/sink.ts';
import type { S3SinkOptions } from '../src/sink-options.ts';
import { Killable } from './killable.ts';
import { describeWithS3 } from './service.ts';
import { Driven, type Item, items, objectKeys, readItems, readLedger, readObject } from './writing.ts';

const OPTIONS = { checkpoint: 'numbers' };

describeWithS3('The ledger of S3Sink', (buckets) => {
  let places = 0;
  const place = (): string => `place-${places++}/`;
  const drivenOf = (prefix: string, more: Partial<S3SinkOptions<Item>> = {}): Driven =>
    new Driven(
      new S3Sink<Item>({
        ...('client' in more ? {} : buckets().throughFaults),
        bucket: buckets().bucket,
        key: `${prefix}{sequence}.ndjson`,
        format: 'ndjson',
        ledger: `${prefix}ledger.json`,
        ...more,
      } as S3SinkOptions<Item> & { format: 'ndjson' }),
    );
  const remove = (key: string) =>
    buckets().bare.send(new DeleteObjectCommand({ Bucket: buckets().bucket, Key: key }));
  const isObject = ({ operation, key }: { operation: string; key: string }): boolean =>
    operation === 'PutObject' && key.endsWith('.ndjson');
  const isLedger = ({ operation, key }: { operation: string; key: string }): boolean =>
    operation === 'PutObject' && key.endsWith('ledger.json');

  it('is missed where somebody deletes it, and the sink says so and writes no more', async () => {
    const prefix = place();
    const driven = await drivenOf(prefix).open(OPTIONS);
    await driven.write(items(0, 2), { positions: { a: 2 } });
    await remove(`${prefix}ledger.json`);
    for (const attempt of [1, 2]) {
      await expect(driven.write(items(2, 4), { positions: { a: 4 }, attempt })).rejects.toMatchObject({
        code: 'SW_S3_LEDGER_MISSING',
        message: expect.stringContaining(`${prefix}ledger.json`),
        key: `${prefix}ledger.json`,
      });
    }
    expect(driven.failures).toMatchObject([{ code: 'SW_S3_LEDGER_MISSING' }]);
    await driven.abort();
    // It has not made another: whoever comes next is not deceived.
    expect(await buckets().keys(prefix)).toEqual([`${prefix}0000000001.ndjson`]);
  });

  it('is missed at the last step of a write too, and nothing is lost or there twice when it is brought back', async () => {
    const prefix = place();
    const ledger = `${prefix}ledger.json`;
    const driven = await drivenOf(prefix).open(OPTIONS);
    await driven.write(items(0, 2), { positions: { a: 2 } });
    let kept: Buffer | undefined;
    buckets().faults.plan({
      on: isObject,
      fault: {
        kind: 'before',
        async run() {
          kept = await buckets().read(ledger);
          await remove(ledger);
        },
      },
    });
    await expect(driven.write(items(2, 4), { positions: { a: 4 } })).rejects.toMatchObject({
      code: 'SW_S3_LEDGER_MISSING',
    });
    await driven.abort();
    await buckets().put(ledger, kept as Buffer);
    const next = await drivenOf(prefix).open(OPTIONS);
    expect(await next.positions()).toEqual(new Map([['a', 2]]));
    expect(await objectKeys(buckets(), prefix)).toHaveLength(1);
    await next.write(items(2, 5), { positions: { a: 5 } });
    await next.close();
    const found: Item[] = [];
    const content = await readLedger(buckets(), ledger);
    for (const key of await objectKeys(buckets(), prefix))
      if (isCommitted(content, Number(/(\d+)\.ndjson$/.exec(key)?.[1])))
        found.push(...(await readObject(buckets(), key)));
    expect(found).toEqual(items(0, 5));
  });

  it('is not gone on with, where somebody brings back an older one while the sink writes', async () => {
    const prefix = place();
    const ledger = `${prefix}ledger.json`;
    const driven = await drivenOf(prefix).open(OPTIONS);
    await driven.write(items(0, 2), { positions: { a: 2 } });
    const older = await buckets().read(ledger);
    await driven.write(items(2, 4), { positions: { a: 4 } });
    await buckets().put(ledger, older);
    await expect(driven.write(items(4, 6), { positions: { a: 6 } })).rejects.toMatchObject({
      code: 'SW_S3_LEDGER_DAMAGED',
      message: expect.stringContaining('older'),
    });
    await driven.abort();
    expect(await buckets().read(ledger)).toEqual(older);
    expect(await objectKeys(buckets(), prefix)).toHaveLength(2);
  });

  it('is missed without a checkpoint as well', async () => {
    const prefix = place();
    const driven = await drivenOf(prefix).open();
    await remove(`${prefix}ledger.json`);
    await driven.write(items(0, 2)).catch(() => {});
    await expect(driven.flush()).rejects.toMatchObject({ code: 'SW_S3_LEDGER_MISSING' });
    await driven.abort();
    expect(await buckets().keys(prefix)).toEqual([]);
  });

  it('is another, where somebody deletes it and a sink begins anew', async () => {
    const prefix = place();
    const first = await drivenOf(prefix).open(OPTIONS);
    await remove(`${prefix}ledger.json`);
    const second = await drivenOf(prefix).open(OPTIONS);
    await expect(first.write(items(0, 2), { positions: { a: 2 } })).rejects.toMatchObject({
      code: 'SW_CHECKPOINT_FENCED',
    });
    await first.abort();
    await second.close();
  });

  /** A store that takes no notice of some conditions. */
  const deaf = (killable: Killable, ...conditions: (keyof Condition)[]): S3Store => ({
    ...killable.store,
    put(request, signal) {
      const heard = { ...request };
      for (const condition of conditions) delete heard[condition];
      return killable.store.put(heard, signal);
    },
  });

  it.each([[['ifNoneMatch']], [['ifMatch']], [['ifNoneMatch', 'ifMatch']]] as (keyof Condition)[][][])(
    'is not trusted to a store that takes no notice of %j',
    async (conditions) => {
      for (const context of [OPTIONS, {}]) {
        const prefix = place();
        const killable = new Killable(buckets().reach);
        const client = deaf(killable, ...conditions);
        const driven = drivenOf(prefix, { client });
        await expect(driven.open(context)).rejects.toMatchObject({
          code: 'SW_S3_UNSUPPORTED',
          message: expect.stringContaining('conditional: false'),
        });
        await driven.abort();
        // What it has asked has changed nothing.
        expect(await readLedger(buckets(), `${prefix}ledger.json`)).toMatchObject({ next: 1, committed: 0 });
        const knowing = await drivenOf(prefix, { client, conditional: false }).open();
        await knowing.write(items(0, 2));
        await knowing.close();
        expect(await readItems(buckets(), prefix)).toEqual(items(0, 2));
        killable.close();
      }
    },
  );

  it('is asked for twice and written three times to open it, and twice for each write', async () => {
    const prefix = place();
    const { faults } = buckets();
    const asked = (): string[] => {
      const seen = faults.requests.map(({ operation, key }) => `${operation} ${key.slice(prefix.length)}`);
      faults.clear();
      return seen;
    };
    await (await drivenOf(prefix).open(OPTIONS)).close();
    expect(asked()).toEqual(['GetObject ledger.json', ...Array(3).fill('PutObject ledger.json')]);
    const driven = await drivenOf(prefix).open(OPTIONS);
    expect(asked()).toEqual([
      ...Array(2).fill('GetObject ledger.json'),
      ...Array(3).fill('PutObject ledger.json'),
    ]);
    await driven.write(items(0, 2), { positions: { a: 2 } });
    expect(asked()).toEqual([
      'PutObject ledger.json',
      'PutObject 0000000001.ndjson',
      'PutObject ledger.json',
    ]);
    await driven.close();
  });

  it('is not asked for without end, where the store refuses a condition that is met', async () => {
    const prefix = place();
    const refused = {
      times: 1e9,
      fault: { kind: 'error', status: 412, code: 'PreconditionFailed' },
    } as const;
    buckets().faults.plan({ on: isLedger, ...refused });
    const denied = drivenOf(prefix);
    await expect(denied.open(OPTIONS)).rejects.toMatchObject({ code: 'SW_S3_UNSUPPORTED' });
    await denied.abort();
    buckets().faults.clear();
    const driven = await drivenOf(prefix).open(OPTIONS);
    buckets().faults.plan({ on: isLedger, ...refused });
    await expect(driven.write(items(0, 2), { positions: { a: 2 } })).rejects.toMatchObject({
      code: 'SW_S3_UNSUPPORTED',
    });
    await driven.abort();
  });

  it.each([OPTIONS, {}])('is of one sink, and not of another that was given it too: %j', async (context) => {
    const prefix = place();
    const first = await drivenOf(prefix).open(context);
    await first.write(items(0, 2), { positions: { a: 2 } });
    await first.close();
    const before = await readLedger(buckets(), `${prefix}ledger.json`);
    const key = `${prefix}others/{sequence}.ndjson`;
    for (const other of [
      { key },
      { key, name: 'other' },
      { key: ({ sequence }: { sequence: number }) => `${prefix}${sequence}`, name: 'other' },
      { key: ({ sequence }: { sequence: number }) => `${prefix}${sequence}` },
    ]) {
      const second = drivenOf(prefix, other);
      await expect(second.open(context)).rejects.toMatchObject({
        code: 'SW_S3_LEDGER_OCCUPIED',
        message: expect.stringContaining(`"${prefix}{sequence}.ndjson"`),
      });
      await second.abort();
    }
    expect(await readLedger(buckets(), `${prefix}ledger.json`)).toEqual(before);
    // It is the same one, and was given a name that is shown, or another key and the name that it had.
    await (await drivenOf(prefix, { name: 'archive' }).open(context)).close();
    const moved = await drivenOf(prefix, { key, name: before.sink }).open(context);
    await moved.write(items(2, 3), { positions: { a: 3 } });
    await moved.close();
    await (await drivenOf(prefix, { key }).open(context)).close();
    expect(await objectKeys(buckets(), `${prefix}others/`)).toEqual([`${prefix}others/0000000002.ndjson`]);
  });

  it('has to have a name, where nothing tells the sink from others', async () => {
    const prefix = place();
    const key = ({ sequence }: { sequence: number }): string => `${prefix}${sequence}`;
    const driven = drivenOf(prefix, { key, ledger: undefined });
    await expect(driven.open()).rejects.toMatchObject({
      code: 'SW_S3_LEDGER_UNNAMED',
      message: expect.stringContaining('name'),
    });
    await driven.abort();
    expect(buckets().faults.requests).toEqual([]);
  });

  it('is found again by its name or its checkpoint, whatever the function makes', async () => {
    const prefix = place();
    const made: string[] = [];
    for (const [name, context] of [
      [`${prefix}a`, {}],
      [`${prefix}b`, {}],
      [`${prefix}b`, {}],
      [undefined, { checkpoint: `${prefix}c` }],
      [undefined, { checkpoint: `${prefix}c` }],
    ] as const) {
      const before = await buckets().keys('.streamweld/');
      // Another key in each run, as of one that draws a number, or reads a clock.
      const run = made.length;
      const key = ({ sequence }: { sequence: number }): string => `${prefix}${run}/${sequence}`;
      const driven = await drivenOf(prefix, { key, name, ledger: undefined }).open(context);
      await driven.write(items(0, 1), { positions: { a: run } });
      await driven.close();
      const now = await buckets().keys('.streamweld/');
      made.push(decodeURIComponent(now.filter((each) => !before.includes(each)).join()));
    }
    const ledger = (name: string): string => `.streamweld/${prefix}${name}.json`;
    expect(made).toEqual([ledger('a'), ledger('b'), '', ledger('c'), '']);
    expect(await objectKeys(buckets(), prefix)).toEqual(
      ['0/1', '1/1', '2/2', '3/1', '4/2'].map((k) => `${prefix}${k}`),
    );
  });
});
