/** Going on where an earlier run stood, whatever became of the files in between. */

import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type FileError, type FilePosition, FileSource } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { contextOf, failureOf, itemsOf, type Positions, pullAll, testFolder } from './driving.ts';
import { follow, lookedAt } from './following.ts';

/** The positions after the first `count` items of a path. */
async function readSome(path: string | string[], count: number): Promise<Map<string, FilePosition>> {
  const source = new FileSource(path);
  const positions = new Map<string, FilePosition>();
  await source.open(contextOf());
  for (let left = count; left > 0; ) {
    const batch = await source.pull(left);
    if (batch === undefined) break;
    left -= batch.items.length;
    positions.set(batch.lane as string, JSON.parse(JSON.stringify(batch.position)) as FilePosition);
  }
  await source.close();
  return positions;
}

/** Reads on, with notices; both ways of reading have to come to the same. */
async function readOn(
  path: string | string[],
  positions: Positions,
  expected: string[],
): Promise<{ notices: string[]; positions: Map<string, FilePosition> }> {
  const followed = await follow(path, { positions });
  expect(await followed.take(expected.length)).toEqual(expected);
  await followed.stop();
  const notices: string[] = [];
  const onNotice = (notice: FileError): void => void notices.push(notice.code);
  const batches = await pullAll(new FileSource(path, { onNotice }), { positions });
  expect(batches.flatMap((batch) => batch.items)).toEqual(expected);
  expect(followed.notices).toEqual(notices);
  return { notices, positions: new Map(batches.map(({ lane, position }) => [lane, position])) };
}

function logIn(folder: string, content: string, name = 'app.log'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('FileSource, resumed behind a last line that was left open', () => {
  test.each([
    ['\n', ['three']],
    ['\r\n', ['three']],
    // An empty line is one where the line end of the last was there.
    ['\n\n', ['', 'three']],
  ])('takes %j, added later, for its end', async (added, expected) => {
    const path = logIn(testFolder(), 'one\ntwo');
    const positions = await readSome(path, 2);
    appendFileSync(path, `${added}three\n`);
    const batches = await pullAll(new FileSource(path), { positions });
    expect(batches.flatMap((batch) => batch.items)).toEqual(expected);
    expect(batches.at(-1)?.position.offset).toBe(statSync(path).size);
  });

  test('takes nothing away where the last line had its end', async () => {
    const path = logIn(testFolder(), 'one\ntwo\n');
    const positions = await readSome(path, 2);
    appendFileSync(path, '\nthree\n');
    expect((await pullAll(new FileSource(path), { positions })).flatMap((batch) => batch.items)).toEqual([
      '',
      'three',
    ]);
  });
});

describe('FileSource, resumed', () => {
  test('[fault 37] finishes the file that was rotated meanwhile, under whatever name, and then reads the new one', async () => {
    for (const rotated of ['app.log.1', 'app-2026.log', 'zzz']) {
      const folder = testFolder();
      const path = logIn(folder, 'one\ntwo\nthree\n');
      logIn(folder, 'other\n', 'other');
      const positions = await readSome(path, 1);
      renameSync(path, join(folder, rotated));
      writeFileSync(path, 'four\n');
      const after = await readOn(path, positions, ['two', 'three', 'four']);
      expect(after.notices).toEqual([]);
      expect(after.positions.get(path)).toMatchObject({ incarnation: 1, record: 1, done: true });
      expect(await itemsOf(new FileSource(path), { positions: after.positions })).toEqual([]);
    }
  });

  test('[fault 37] reads no rotated file twice where the glob has it too, now or later', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'c1\nc2\n');
    logIn(folder, 'b\n', 'app.log.1');
    logIn(folder, 'a\n', 'app.log.2');
    const glob = `${folder}/app.log*`;
    const positions = new Map(
      (await pullAll(new FileSource(glob))).map(({ lane, position }) => [lane, position]),
    );
    expect(positions.size).toBe(3);
    rmSync(`${path}.2`);
    renameSync(`${path}.1`, `${path}.2`);
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, 'c3\n');
    writeFileSync(path, 'd\n');
    const after = await readOn(glob, positions, ['c3', 'd']);
    expect(after.notices).toEqual([]);
    const next = new Map([...positions, ...after.positions]);
    appendFileSync(path, 'e\n');
    expect((await readOn(glob, next, ['e'])).notices).toEqual([]);
  });

  test('goes on in a copy that took the place of the file', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\ntwo\n');
    const positions = await readSome(path, 1);
    const { ino } = statSync(path);
    copyFileSync(path, join(folder, 'copy'));
    renameSync(join(folder, 'copy'), path);
    expect(statSync(path).ino).not.toBe(ino);
    expect((await readOn(path, positions, ['two'])).notices).toEqual([]);
  });

  test('[fault 38] begins anew, and says so, where a file was replaced and the former is not there', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\ntwo\n');
    const positions = await readSome(path, 1);
    mkdirSync(join(folder, 'archive'));
    renameSync(path, join(folder, 'archive/app.log'));
    writeFileSync(path, 'uno\ndue\ntre\n');
    const { notices, positions: after } = await readOn(path, positions, ['uno', 'due', 'tre']);
    expect(notices).toEqual(['SW_FILE_REPLACED']);
    expect(after.get(path)?.incarnation).toBe(1);
  });

  test('[fault 38] begins anew, and says so, where a file was cut', async () => {
    for (const content of ['o\n', 'one\nt\n', 'x\n']) {
      const path = logIn(testFolder(), 'one\ntwo\n');
      const positions = await readSome(path, 2);
      writeFileSync(path, content);
      const { notices } = await readOn(path, positions, content.trim().split('\n'));
      expect(notices).toEqual(['SW_FILE_SHORTENED']);
    }
  });

  test('[fault 38] and where it was cut behind all by which it is recognised', async () => {
    const long = 'x'.repeat(2000);
    const path = logIn(testFolder(), `${long}\none\n`);
    const positions = await readSome(path, 2);
    writeFileSync(path, `${long}\n`);
    const { notices, positions: after } = await readOn(path, positions, [long]);
    expect(notices).toEqual(['SW_FILE_SHORTENED']);
    expect(after.get(path)?.incarnation).toBe(1);
  });

  test('S13 does not take a position beyond the end of an unchanged file for its end', async () => {
    const path = logIn(testFolder(), 'one\ntwo\n');
    const [position] = (await readSome(path, 1)).values() as Iterable<FilePosition>;
    if (position === undefined) throw new Error('a position');
    const { notices } = await readOn(path, new Map([[path, { ...position, offset: 900 }]]), ['one', 'two']);
    expect(notices).toEqual(['SW_FILE_SHORTENED']);
  });

  test('[fault 39] does not take a file of the same size, written at the same time, for the same by that', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\n');
    utimesSync(path, 1, 1);
    const positions = new Map(
      (await pullAll(new FileSource(path))).map(({ lane, position }) => [lane, position]),
    );
    expect(positions.get(path)?.done).toBe(true);
    logIn(folder, 'uno\n', 'new');
    rmSync(path);
    renameSync(join(folder, 'new'), path);
    utimesSync(path, 1, 1);
    expect((await readOn(path, positions, ['uno'])).notices).toEqual(['SW_FILE_REPLACED']);
  });

  test('finishes what was renamed to a name that is not read, also where nothing came in its place', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\ntwo\n', 'a.log');
    logIn(folder, 'b\n', 'b.log');
    const glob = `${folder}/*.log`;
    const positions = await readSome(path, 1);
    renameSync(path, join(folder, 'a.old'));
    expect((await readOn(glob, positions, ['two', 'b'])).notices).toEqual([]);
  });

  test('knows a file that comes back later, with its folder, and one that comes in its place', async () => {
    for (const isSame of [true, false]) {
      const folder = testFolder();
      const path = logIn(folder, 'one\ntwo\n');
      const positions = await readSome(path, 1);
      renameSync(folder, `${folder}-away`);
      const client = lookedAt(path);
      const followed = await follow(path, { client, positions });
      const next = followed.pull();
      await client.looks(3);
      renameSync(`${folder}-away`, folder);
      if (!isSame) {
        logIn(folder, 'uno\n', 'new');
        renameSync(join(folder, 'new'), path);
      }
      expect(await next).toEqual([isSame ? 'two' : 'uno']);
      expect(followed.positions.get(path)?.incarnation).toBe(isSame ? 0 : 1);
      expect(followed.notices).toEqual(['SW_FILE_REPLACED']);
    }
  });

  test('knows a gzip file by its compressed bytes, and finishes it under another name', async () => {
    const folder = testFolder();
    const path = join(folder, 'app.gz');
    writeFileSync(path, gzipSync('one\ntwo\n'));
    const positions = await readSome(path, 1);
    renameSync(path, `${path}.1`);
    writeFileSync(path, gzipSync('three\n'));
    expect(await itemsOf(new FileSource(path), { positions })).toEqual(['two', 'three']);
  });

  test('knows its place in a file of which it has read nothing yet', async () => {
    const folder = testFolder();
    const path = logIn(folder, '');
    const client = lookedAt(path);
    const first = await follow(path, { client });
    const pulled = first.pull();
    await client.looks(2);
    const positions = await first.stop();
    expect(await pulled).toBeUndefined();
    expect(positions.get(path)).toMatchObject({ offset: 0, incarnation: 0, file: { head: { bytes: 0 } } });
    appendFileSync(path, 'one\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'two\n');
    const second = await follow(path, { positions });
    expect(await second.take(2)).toEqual(['one', 'two']);
  });

  test('warns where nobody asked to be told', async () => {
    const path = logIn(testFolder(), 'one\ntwo\n');
    const positions = await readSome(path, 2);
    writeFileSync(path, 'x\n');
    const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve));
    expect(await itemsOf(new FileSource(path), { positions })).toEqual(['x']);
    expect(await warned).toMatchObject({ name: 'StreamWeldWarning', code: 'SW_FILE_SHORTENED' });
  });

  test('refuses what is no position, and those of an earlier version, before it reads anything', async () => {
    const path = logIn(testFolder(), 'one\n');
    const [position] = (await readSome(path, 1)).values();
    const wrong: unknown[] = [
      // As the first version had them.
      { offset: 4, record: 1, file: { size: 4, dev: 1, ino: 2 } },
      { ...position, incarnation: undefined },
      { ...position, offset: -1 },
      { ...position, offset: '4' },
      { ...position, header: 'a,b' },
      { ...position, file: { ...position?.file, head: undefined } },
      { ...position, earlier: [{}] },
      4,
      null,
    ];
    for (const options of [{}, { follow: true }] as const) {
      for (const one of wrong) {
        const source = new FileSource(path, options);
        const failure = await failureOf(source.open(contextOf(new Map([[path, one as FilePosition]]))));
        await source.close(failure);
        expect(failure).toMatchObject({ code: 'SW_FILE_POSITION_INVALID', path });
      }
    }
  });

  test('keeps nothing of what is in a file in its positions', async () => {
    const path = logIn(testFolder(), 'secret\nsecret\n');
    const positions = await readSome(path, 2);
    expect(JSON.stringify([...positions])).not.toContain('secret');
  });

  test('compares positions by incarnation first', async () => {
    const path = logIn(testFolder(), 'one\n');
    const source = new FileSource(path);
    const [position] = (await readSome(path, 1)).values() as Iterable<FilePosition>;
    if (position === undefined) throw new Error('a position');
    const later = { ...position, offset: 0, incarnation: 1 };
    expect(source.comparePositions(position, later)).toBeLessThan(0);
    expect(source.comparePositions(later, position)).toBeGreaterThan(0);
    expect(source.comparePositions(later, later)).toBe(0);
  });
});
