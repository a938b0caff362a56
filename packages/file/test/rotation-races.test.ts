/**
 * A rotation is a chain of renames, and a look around is many calls: one that falls into the other sees a file under none
 * of its names. That says nothing about the file.
 */

import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileSource } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { pullAll, testFolder } from './driving.ts';
import { type FaultyLayer, faultyLayer, systemError } from './file-layer.ts';
import { follow } from './following.ts';

interface Blinking extends FaultyLayer {
  /** The next so many calls do not find that path. */
  hide(call: 'stat' | 'open', path: string, times?: number): void;
  /** How many did not. */
  hidden: number;
}

function blinking(): Blinking {
  const left = new Map<string, number>();
  const check = (call: string, path: string): void => {
    const times = left.get(`${call} ${path}`) ?? 0;
    if (times === 0) return;
    left.set(`${call} ${path}`, times - 1);
    layer.hidden += 1;
    throw systemError('ENOENT');
  };
  const faulty = faultyLayer({ open: (path) => check('open', path) });
  const layer: Blinking = Object.assign(faulty, {
    hidden: 0,
    hide: (call: string, path: string, times = 1) => void left.set(`${call} ${path}`, times),
    stat: async (path: string) => {
      check('stat', path);
      return (await import('node:fs/promises')).stat(path);
    },
  });
  return layer;
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

describe('FileSource, looking while files are renamed', () => {
  test('[fault 37] does not read a rotated file again that one look did not see', async () => {
    const folder = testFolder();
    const path = join(folder, 'app.log');
    writeFileSync(path, 'one\n');
    const client = blinking();
    const followed = await follow(`${folder}/app.log*`, { client });
    expect(await followed.take(1)).toEqual(['one']);
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'two\n');
    expect(await followed.take(1)).toEqual(['two']);
    // When a pull comes that late, it looks first.
    const next = async (line: string): Promise<void> => {
      await pause(5);
      appendFileSync(path, `${line}\n`);
      expect(await followed.take(1)).toEqual([line]);
    };
    client.hide('stat', `${path}.1`);
    for (let count = 0; client.hidden === 0; count += 1) await next(`${count}`);
    await next('and seen again');
    // It lies elsewhere, and is gone from there when somebody would look at what it is.
    client.hide('open', `${path}.2`);
    renameSync(`${path}.1`, `${path}.2`);
    for (let count = 0; client.hidden === 1 || count < 3; count += 1) await next(`${count}`);
    expect(new Set(followed.batches.map(({ lane }) => lane))).toEqual(new Set([path]));
    await followed.stop();
  });

  test('[fault 37] nor one that is known and not open, and was renamed when it was looked at', async () => {
    const folder = testFolder();
    const path = join(folder, 'app.log');
    writeFileSync(path, 'one\n');
    writeFileSync(join(folder, 'app.log.z'), 'zero\n');
    const client = blinking();
    const followed = await follow(`${folder}/app.log*`, { client, follow: { pollMs: 1, maxOpen: 1 } });
    expect((await followed.take(2)).sort()).toEqual(['one', 'zero']);
    appendFileSync(join(folder, 'app.log.z'), 'more\n');
    expect(await followed.take(1)).toEqual(['more']);
    client.hide('open', `${path}.1`);
    renameSync(path, `${path}.1`);
    for (let count = 0; client.hidden === 0 || count < 3; count += 1) {
      appendFileSync(join(folder, 'app.log.z'), `${count}\n`);
      expect(await followed.take(1)).toEqual([`${count}`]);
    }
    await followed.stop();
  });

  test('[fault 37] does not give a file up that was renamed between the look and its turn', async () => {
    const folder = testFolder();
    const path = join(folder, 'app.log');
    writeFileSync(path, 'one\ntwo\n');
    const first = await follow(path);
    expect(await first.take(1)).toEqual(['one']);
    const positions = await first.stop();
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'three\n');
    const client = blinking();
    const followed = await follow(path, { client, positions });
    // The new file has been there for longer than the old one is waited for.
    await pause(10);
    client.hide('open', `${path}.1`);
    expect(await followed.take(2)).toEqual(['two', 'three']);
    expect(client.hidden).toBe(1);
    expect(followed.notices).toEqual([]);
    await followed.stop();
  });

  test('[fault 37] looks for the file of a position once more, followed or not', async () => {
    const folder = testFolder();
    const path = join(folder, 'app.log');
    writeFileSync(path, 'one\ntwo\n');
    const first = await follow(path);
    expect(await first.take(1)).toEqual(['one']);
    const positions = await first.stop();
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'three\n');
    const client = blinking();
    client.hide('stat', `${path}.1`);
    const followed = await follow(path, { client, positions });
    expect(client.hidden).toBe(1);
    expect(await followed.take(2)).toEqual(['two', 'three']);
    expect(followed.notices).toEqual([]);
    await followed.stop();
    client.hide('stat', `${path}.1`);
    const notices: string[] = [];
    const source = new FileSource(path, { client, onNotice: ({ code }) => void notices.push(code) });
    const batches = await pullAll(source, { positions });
    expect(client.hidden).toBe(2);
    expect(batches.flatMap(({ items }) => items)).toEqual(['two', 'three']);
    expect(notices).toEqual([]);
  });
});
