/** What version 0.1 left on disk can be used by this one: the files in `kept/0.1` were written by it, and are never written anew. */

import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileCheckpointStore, type FilePosition, FileSink, FileSource } from '@streamweld/file';
import { describe, expect, it } from 'vitest';
import { pullAll, testFolder } from './driving.ts';
import { contentOf, openContext, writeContext } from './sink-driving.ts';

const kept = join(import.meta.dirname, 'kept/0.1');

/** A copy: what is kept stays as it is. */
function copyOf(name: string): string {
  const folder = join(testFolder(), name);
  cpSync(join(kept, name), folder, { recursive: true });
  return folder;
}

describe('what 0.1 left', () => {
  it('is a checkpoint that FileCheckpointStore loads, and writes on', async () => {
    const store = new FileCheckpointStore(copyOf('checkpoints'));
    const positions = new Map<string, unknown>([
      ['orders.csv', { offset: 1500, header: ['id', 'name'], done: true }],
      ['orders/0', { offset: '9007199254740993', groupId: null }],
      ['big', 9007199254740993n],
      ['when', new Date(0)],
      ['map', new Map([['a', 1]])],
      ['set', new Set([1])],
      ['bytes', new Uint8Array([1, 2, 255])],
      ['nothing', undefined],
      ['minus zero', -0],
      ['not a number', Number.NaN],
      ['marked', { $: 'x' }],
    ]);
    expect(await store.load('orders')).toStrictEqual(positions);
    const run = await store.acquire('orders');
    await run.save('orders', new Map([['orders.csv', { offset: 2000 }]]));
    expect(await store.load('orders')).toStrictEqual(new Map([['orders.csv', { offset: 2000 }]]));
  });

  it('is a position that FileSource resumes from', async () => {
    const position = JSON.parse(readFileSync(join(kept, 'position.json'), 'utf8')) as FilePosition;
    const path = join(testFolder(), 'in.csv');
    writeFileSync(path, 'id,name\n1,one\n2,two\n3,three\n');
    // The same file to everybody but the file system, which gave it another number.
    const { dev, ino } = statSync(path);
    const here = { ...position, file: { ...position.file, dev, ino } };
    const source = new FileSource(path, { format: 'csv' });
    const batches = await pullAll(source, { positions: new Map([[path, here]]) });
    expect(batches.flatMap(({ items }) => items)).toEqual([{ id: '3', name: 'three' }]);
  });

  it('is a position that is told from another file', async () => {
    const position = JSON.parse(readFileSync(join(kept, 'position.json'), 'utf8')) as FilePosition;
    const path = join(testFolder(), 'in.csv');
    writeFileSync(path, 'id,name\n7,seven\n');
    const { dev, ino } = statSync(path);
    const source = new FileSource(path, { format: 'csv' });
    const positions = new Map([[path, { ...position, file: { ...position.file, dev, ino } }]]);
    const batches = await pullAll(source, { positions });
    expect(batches.flatMap(({ items }) => items)).toEqual([{ id: '7', name: 'seven' }]);
  });

  it('is a ledger that FileSink goes on with, exactly once', async () => {
    const folder = copyOf('sink');
    const sink = new FileSink<{ id: number; name: string }>(join(folder, 'out.csv'), { format: 'csv' });
    await sink.open(openContext('orders'));
    expect([...sink.positions()]).toEqual([
      ['a', { offset: 7n }],
      ['b', 3],
    ]);
    await sink.write([{ id: 4, name: 'four' }], writeContext({ a: { offset: 8n } }));
    await sink.close();
    expect(contentOf(folder)).toEqual({ 'out.csv': 'id,name\n1,one\n2,two\n3,three\n4,four\n' });
  });
});
