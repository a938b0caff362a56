import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ListedObject } from '../src/client.ts';
import type { S3Position } from '../src/position.ts';
import { compareKeys } from '../src/position.ts';
import { S3Source } from '../src/source.ts';
import { listObjects } from '../src/source-listing.ts';
import { useStores } from './opened.ts';
import { useReadings } from './reading.ts';
import { openScriptedStore } from './scripted-store.ts';
import { describeWithS3 } from './service.ts';

const byBytes = (keys: readonly string[]): string[] => keys.toSorted(compareKeys);

/** What a server that keeps its objects in files takes. */
const ODD = [
  'a b',
  'ü/é',
  '日本/😀',
  '\ufffd\ufffd',
  '\u{10000}',
  'q?x=1&y#z',
  'p%20q',
  'a+b',
  'nl\nx',
  'tab\t',

  'bs\\x',
  '"q"',
  "'s'",
  '<&>',
  'x'.repeat(255),
  `${`${'y'.repeat(200)}/`.repeat(4)}${'z'.repeat(150)}`,
  'e\u0301',
  '\u00e9',
  'con',
  'end.',
  'del\u007f',
  '~',
  'dir-x',
  'dir.x',
  'dir/x',
  'dir0',
];

/** And what it does not. */
const ODDER = [
  'ctl\u0001',
  '..',
  '.',
  'dots/../x',
  './a',
  '/lead',
  'x//y',
  'tail/',
  'tail//',
  'a',
  'a/b',
  'k'.repeat(1024),
];

describeWithS3('Keys', (buckets) => {
  const reading = useReadings();
  const again = (prefix: string): S3Source<string> =>
    new S3Source<string>({ ...buckets().reach, bucket: buckets().bucket, prefix, format: 'ndjson' });

  it('are read as they are, in the order of their bytes, however odd', async () => {
    const prefix = `${randomUUID()} +/`;
    const keys = byBytes(ODD.map((key) => prefix + key));
    for (const key of keys) await buckets().put(key, JSON.stringify(key));
    const run = await reading(again(prefix));
    expect(await run.readAll()).toEqual(keys);
    for (const index of [0, 10, 20]) {
      const { lane, position } = run.answers.filter(({ items }) => items.length > 0)[index] as never as {
        lane: string;
        position: S3Position;
      };
      const next = await reading(again(prefix), new Map([[lane, position]]));
      expect(await next.readAll()).toEqual(keys.slice(index + 1));
    }
  });

  it('that only stand for a folder are left out', async () => {
    const prefix = `${randomUUID()}/`;
    await buckets().put(`${prefix}empty/`, '');
    await buckets().put(`${prefix}file`, 'in a file');
    const run = await reading(new S3Source({ ...buckets().reach, bucket: buckets().bucket, prefix }));
    expect(await run.readAll()).toEqual(['in a file']);
    expect(run.answers.map(({ position }) => position.key)).not.toContain(`${prefix}empty/`);
  });

  it('of ledgers are left out, unless they are asked for', async () => {
    const name = randomUUID();
    await buckets().put(`.streamweld/${name}.json`, 'a ledger');
    await buckets().put(`.streamweld-${name}`, 'data');
    const { reach, bucket } = buckets();
    const read = async (prefix: string): Promise<string[]> =>
      (await reading(new S3Source({ ...reach, bucket, prefix }))).readAll();
    expect(await read('.streamweld')).toEqual(['data']);
    expect(await read(`.streamweld/${name}`)).toEqual(['a ledger']);
  });

  it('71: come completely and once, where pages of the listing fail', async () => {
    const { faults, throughFaults, bucket, put } = buckets();
    const prefix = `${randomUUID()}/`;
    const keys = byBytes(Array.from({ length: 1200 }, (_, n) => `${prefix}${n}`));
    for (let at = 0; at < keys.length; at += 40)
      await Promise.all(keys.slice(at, at + 40).map((key) => put(key, key)));
    const failed = [
      faults.plan({ on: 'ListObjectsV2', after: 1, fault: { kind: 'error', status: 503, code: 'SlowDown' } }),
      faults.plan({ on: 'ListObjectsV2', after: 1, fault: { kind: 'cutBody', at: 100 } }),
    ];
    const listed: string[] = [];
    const filter = ({ key }: ListedObject): boolean => {
      listed.push(key);
      return key.endsWith('7');
    };
    const run = await reading(new S3Source({ ...throughFaults, bucket, prefix, filter }));
    expect(await run.readAll()).toEqual(keys.filter((key) => key.endsWith('7')));
    expect(listed).toEqual(keys);
    expect(failed.map(({ met }) => met)).toEqual([1, 1]);
  });

  it.each(['listed', 'ready'] as const)(
    'are not begun with a slash by mistake: where nothing begins so, and something does without it (%s)',
    async (order) => {
      const prefix = `${randomUUID()}/`;
      await buckets().put(`${prefix}a`, 'a');
      const { reach, bucket } = buckets();
      const read = async (given: string): Promise<string[]> =>
        (await reading(new S3Source({ ...reach, bucket, prefix: given, order }))).readAll();
      await expect(read(`/${prefix}`)).rejects.toMatchObject({
        code: 'SW_S3_KEY_INVALID',
        message: expect.stringContaining(`prefix: '${prefix}'`),
      });
      // It may be a place for what is to come.
      expect(await read(`/${randomUUID()}/`)).toEqual([]);
    },
  );

  it('are filtered by whoever says which', async () => {
    const prefix = `${randomUUID()}/`;
    for (const name of ['a.log', 'b.txt', 'c.log']) await buckets().put(prefix + name, name);
    const { reach, bucket } = buckets();
    const filter = ({ key, size }: { key: string; size: number }): boolean =>
      key.endsWith('.log') && size === 5;
    const run = await reading(new S3Source({ ...reach, bucket, prefix, filter }));
    expect(await run.readAll()).toEqual(['a.log', 'c.log']);
  });
});

describe('Keys that no server at hand takes', () => {
  const reading = useReadings();
  const open = useStores();

  it('are listed and asked for as they are', async () => {
    const keys = byBytes([...ODD, ...ODDER]);
    await using store = await openScriptedStore(keys);
    const run = await reading(new S3Source({ ...store.reach, bucket: 'bucket', format: 'bytes' }));
    expect((await run.readAll()).map((bytes) => Buffer.from(bytes).toString())).toEqual(keys);
  });

  it('100,000 of them are listed completely, in order, each once, from wherever somebody goes on', async () => {
    const keys = byBytes(Array.from({ length: 100_000 }, (_, n) => `${ODD[n % ODD.length] as string}/${n}`));
    await using scripted = await openScriptedStore(keys);
    const store = open(scripted.reach);
    const list = async (startAfter?: string): Promise<string[]> => {
      const listed = listObjects(
        store,
        { bucket: 'bucket', prefix: '', filter: undefined, retryMs: 0, name: 'test', isOrdered: true },
        startAfter,
        new AbortController().signal,
      );
      const found: string[] = [];
      for await (const { key } of listed) found.push(key);
      return found;
    };
    expect(await list()).toEqual(keys);
    expect(scripted.pages).toBe(100);
    expect(await list(keys[54_321])).toEqual(keys.slice(54_322));
  });

  it('are not listed further ahead than they are read', async () => {
    const keys = byBytes(Array.from({ length: 10_000 }, (_, n) => `key ${n}`));
    await using scripted = await openScriptedStore(keys);
    const run = await reading(
      new S3Source({ ...scripted.reach, bucket: 'bucket', readAhead: { maxObjects: 16 } }),
    );
    while (run.items.length < 1500) await run.pull();
    expect(run.items).toEqual(keys.slice(0, run.items.length));
    // The page that is read, and the next.
    expect(scripted.pages).toBe(3);
    const next = await reading(
      new S3Source({ ...scripted.reach, bucket: 'bucket', readAhead: { maxObjects: 16 } }),
      run.positions,
    );
    while (next.items.length === 0) await next.pull();
    expect(next.items).toEqual([keys[run.items.length]]);
  });

  it('that nobody wants are not waited for when a source is opened', async () => {
    const keys = byBytes(Array.from({ length: 50_000 }, (_, n) => `key ${n}`));
    await using scripted = await openScriptedStore(keys);
    const filter = (): boolean => false;
    const run = await reading(new S3Source({ ...scripted.reach, bucket: 'bucket', filter }));
    expect(scripted.pages).toBeLessThan(50);
    expect(await run.readAll()).toEqual([]);
    expect(scripted.pages).toBe(50);
  });

  it('are not gone on with where a store knows of no ranges: what came would be of another place', async () => {
    await using scripted = await openScriptedStore(['a key']);
    scripted.hasRanges = false;
    const position: S3Position = { key: 'a key', etag: '"1"', offset: 3, record: 1 };
    const run = await reading(
      new S3Source({ ...scripted.reach, bucket: 'bucket', format: 'bytes' }),
      new Map([['s3://bucket', position]]),
    );
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_UNSUPPORTED' });
    expect(run.items).toEqual([]);
  });

  it('may begin with a slash', async () => {
    await using scripted = await openScriptedStore(['/a/b', '/a/c']);
    const options = { ...scripted.reach, bucket: 'bucket', prefix: '/a/' };
    expect(await (await reading(new S3Source(options))).readAll()).toEqual(['/a/b', '/a/c']);
    const none = await reading(new S3Source({ ...options, filter: () => false }));
    expect(await none.readAll()).toEqual([]);
    expect(scripted.pages).toBe(2);
  });

  it('that come in no order are refused where one position is to say what was read', async () => {
    await using scripted = await openScriptedStore(['b', 'a', 'c']);
    const run = await reading(new S3Source({ ...scripted.reach, bucket: 'bucket' }));
    await expect(run.readAll()).rejects.toMatchObject({ code: 'SW_S3_UNSUPPORTED' });
    const ready = await reading(new S3Source({ ...scripted.reach, bucket: 'bucket', order: 'ready' }));
    expect((await ready.readAll()).toSorted()).toEqual(['a', 'b', 'c']);
  });
});
