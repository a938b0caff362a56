/** FAULTS.md, what concerns following: files that are written, rotated, cut and replaced while they are read. */

import { execFile } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { csv, lines, ndjson } from '@streamweld/formats';
import { describe, expect, test } from 'vitest';
import { openFilesIn, testFolder } from './driving.ts';
import { systemError } from './file-layer.ts';
import { follow, lookedAt } from './following.ts';

const onLinux = test.skipIf(process.platform !== 'linux');

function logIn(folder: string, content = '', name = 'app.log'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('FileSource that follows, and faults', () => {
  test('[fault 35] waits for the rest of a record that is being written', async () => {
    const path = logIn(testFolder(), '{"a":1}\n{"a":');
    const client = lookedAt(path);
    const followed = await follow(path, { client, format: ndjson() });
    expect(await followed.take(1)).toEqual([{ a: 1 }]);
    const second = followed.pull();
    await client.looks(3);
    expect(client.calls['read']).toBeGreaterThan(1);
    appendFileSync(path, '2');
    await client.looks(3);
    appendFileSync(path, '}\n{"a":3');
    expect(await second).toEqual([{ a: 2 }]);
    expect(followed.positions.get(path)).toMatchObject({ offset: 16, record: 2 });
    const rest = await follow(path, { format: ndjson(), positions: await followed.stop() });
    appendFileSync(path, '}\n');
    expect(await rest.take(1)).toEqual([{ a: 3 }]);
  });

  test('[fault 35] never hands out half a line, a letter or a line end, wherever the writer stops', async () => {
    const path = logIn(testFolder());
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    const bytes = Buffer.from('ä€😀\r\nnext\r\n');
    const first = followed.pull();
    for (const byte of bytes.subarray(0, 11)) {
      await client.looks(2);
      appendFileSync(path, Buffer.of(byte));
    }
    expect(await first).toEqual(['ä€😀']);
    appendFileSync(path, bytes.subarray(11));
    expect(await followed.take(1)).toEqual(['next']);
  });

  test('[fault 35] reads a row that is quoted over several lines when it is whole, with the columns of the header', async () => {
    const path = logIn(testFolder(), 'id,te');
    const client = lookedAt(path);
    const followed = await follow(path, { client, format: csv() });
    const first = followed.pull();
    for (const part of ['xt\n', '1,"a\n', 'b', '"\n2,']) {
      await client.looks(2);
      appendFileSync(path, part);
    }
    expect(await first).toEqual([{ id: '1', text: 'a\nb' }]);
    const rest = await follow(path, { format: csv(), positions: await followed.stop() });
    appendFileSync(path, 'c\n');
    expect(await rest.take(1)).toEqual([{ id: '2', text: 'c' }]);
  });

  test('[fault 37] finishes a file that was renamed, then reads the new one from its beginning', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\n');
    const inode = statSync(path).ino;
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    expect(await followed.take(1)).toEqual(['one']);
    renameSync(path, `${path}.1`);
    const two = followed.pull();
    await client.looks(3);
    appendFileSync(`${path}.1`, 'two\n');
    expect(await two).toEqual(['two']);
    // The new file is there, and its writer has not come to it yet.
    writeFileSync(path, '');
    expect(statSync(path).ino).not.toBe(inode);
    const three = followed.pull();
    await client.looks(3);
    appendFileSync(`${path}.1`, 'three\n');
    expect(await three).toEqual(['three']);
    appendFileSync(path, 'four\n');
    appendFileSync(`${path}.1`, 'late\nno end');
    expect(await followed.take(3)).toEqual(['late', 'no end', 'four']);
    expect(new Set(followed.batches.map(({ lane }) => lane))).toEqual(new Set([path]));
    expect(followed.positions.get(path)).toMatchObject({ incarnation: 1, offset: 5, record: 1 });
    expect(heldOpen(folder)).toEqual(process.platform === 'linux' ? [path] : []);
    expect(followed.notices).toEqual([]);
  });

  test('[fault 37] takes no file twice where the glob has the rotated ones too', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'a1\n');
    const glob = `${folder}/app.log*`;
    const client = lookedAt(glob);
    const followed = await follow(glob, { client });
    const seen = await followed.take(1);
    for (const name of ['b', 'c', 'd']) {
      for (const age of [2, 1]) {
        if (existsSync(`${path}.${age}`)) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
      }
      renameSync(path, `${path}.1`);
      appendFileSync(`${path}.1`, `${name}0\n`);
      writeFileSync(path, `${name}1\n`);
      seen.push(...(await followed.take(2)));
    }
    const last = followed.pull();
    await client.looks(4);
    appendFileSync(path, 'e\n');
    expect([...seen, ...((await last) ?? [])]).toEqual(['a1', 'b0', 'b1', 'c0', 'c1', 'd0', 'd1', 'e']);
    expect(readdirSync(folder)).toHaveLength(4);
    const position = followed.positions.get(path);
    expect(position?.incarnation).toBe(3);
    expect(position?.earlier).toHaveLength(3);

    // And not after a restart either, in which they were renamed once more.
    const positions = await followed.stop();
    for (const age of [3, 2, 1]) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
    rmSync(`${path}.4`);
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, 'f\n');
    writeFileSync(path, 'g\n');
    const rest = await follow(glob, { positions });
    expect(await rest.take(2)).toEqual(['f', 'g']);
    // What was removed is forgotten when more than one look has not found it.
    while (rest.positions.get(path)?.earlier?.length !== 3) {
      appendFileSync(path, 'h\n');
      expect(await rest.take(1)).toEqual(['h']);
    }
    expect(rest.notices).toEqual([]);
  });

  test('[fault 37] passes on through rotations faster than it looks', async () => {
    const path = logIn(testFolder(), '1\n');
    const followed = await follow(`${path}*`);
    await followed.take(1);
    for (let turn = 2; turn <= 4; turn += 1) {
      renameSync(path, `${path}.${turn}`);
      writeFileSync(path, `${turn}\n`);
    }
    // What came and went under the name between two looks has a name of its own: a lane of its own.
    const items = await followed.take(3);
    expect(items.toSorted()).toEqual(['2', '3', '4']);
    expect(followed.notices).toEqual([]);
  });

  test('[fault 38] begins anew where a file was copied and cut', async () => {
    const path = logIn(testFolder(), 'one\ntwo\nthree\n');
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    await followed.take(3);
    const next = followed.pull();
    await client.looks(2);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    await client.looks(3);
    appendFileSync(path, 'four\n');
    expect(await next).toEqual(['four']);
    expect(followed.positions.get(path)).toMatchObject({ incarnation: 1, offset: 5 });
    expect(followed.notices).toEqual([]);
  });

  for (const [what, content] of [
    ['more than', 'x1\nx2\nx3\nx4\n'],
    ['exactly as much as', 'x1\nx2\n'],
    ['less than', 'x1\n'],
  ] as const) {
    test(`[fault 38] sees that a file was cut and has ${what} it had before, by how it begins`, async () => {
      const path = logIn(testFolder(), 'one\nt\n');
      const client = lookedAt(path);
      const followed = await follow(path, { client });
      await followed.take(2);
      const next = followed.pull(1);
      await client.looks(3);
      const { ino } = statSync(path);
      writeFileSync(path, content);
      expect(statSync(path).ino).toBe(ino);
      const items = [...((await next) ?? [])];
      items.push(...(await followed.take(content.length / 3 - 1)));
      expect(items).toEqual(content.trim().split('\n'));
    });
  }

  test('[fault 38] begins anew where a file was cut and begins as it did, by its size', async () => {
    const path = logIn(testFolder(), `${'x'.repeat(2000)}\none\ntwo\n`);
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    await followed.take(3);
    const next = followed.pull();
    await client.looks(3);
    truncateSync(path, 2001);
    expect((await next)?.[0]).toHaveLength(2000);
    expect(followed.positions.get(path)).toMatchObject({ incarnation: 1, offset: 2001 });
  });

  test('[fault 37 38] reads once what was cut, written anew and renamed before it looked again', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\nhalf');
    const glob = `${folder}/app.log*`;
    const client = lookedAt(glob);
    const followed = await follow(glob, { client });
    await followed.take(1);
    truncateSync(path);
    appendFileSync(path, 'two\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'three\n');
    expect(await followed.take(2)).toEqual(['two', 'three']);
    const next = followed.pull();
    await client.looks(4);
    appendFileSync(path, 'four\n');
    expect(await next).toEqual(['four']);
  });

  test('[fault 38] hands out the record it held, and says that half a line is lost, where the rest was cut off', async () => {
    const path = logIn(testFolder(), '1 a\n b\nhalf a li');
    const client = lookedAt(path);
    const followed = await follow(path, {
      client,
      format: lines({ recordStart: /^\d/ }),
      follow: { pollMs: 1, flushMs: 1e9 },
    });
    const first = followed.pull();
    await client.looks(3);
    writeFileSync(path, '2 c\n3 d\n');
    expect(await first).toEqual(['1 a\n b']);
    expect(await followed.take(1)).toEqual(['2 c']);
    expect(followed.notices).toEqual(['SW_FILE_CUT_OFF']);
  });

  test('[fault 39] begins anew where a file was deleted and another has its number', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\n');
    const other = logIn(folder, 'other\n', 'other.log');
    // A file that is held open keeps its number: the other takes its handle away.
    const client = sameNumber(lookedAt(path), path);
    const followed = await follow([path, other], { client, follow: { pollMs: 1, maxOpen: 1 } });
    await followed.take(2);
    rmSync(path);
    writeFileSync(path, 'two\nthree\n');
    expect(await followed.take(2)).toEqual(['two', 'three']);
    expect(client.mostOpen).toBeLessThanOrEqual(2);
    expect(followed.positions.get(path)).toMatchObject({ incarnation: 1, file: { ino: 42 } });
  });

  test('[fault 39] does not take a new file for one that was renamed, because it has its number', async () => {
    const folder = testFolder();
    const [a, b, c] = ['a.log', 'b.log', 'c.log'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    logIn(folder, 'a\n', 'a.log');
    logIn(folder, 'b\n', 'b.log');
    const client = sameNumber(lookedAt(`${folder}/*`), a, c);
    const followed = await follow(`${folder}/*`, { client, follow: { pollMs: 1, maxOpen: 1 } });
    await followed.take(2);
    appendFileSync(b, 'b2\n');
    await followed.take(1);
    rmSync(a);
    writeFileSync(c, 'one\ntwo\n');
    expect(await followed.take(2)).toEqual(['one', 'two']);
    expect(followed.positions.get(c)).toMatchObject({ incarnation: 0, offset: 8, file: { ino: 42 } });
    expect(followed.positions.get(a)).toMatchObject({ incarnation: 0 });
  });

  test('[fault 39] and where that happened while nobody followed', async () => {
    const path = logIn(testFolder(), 'one\n');
    const client = sameNumber(lookedAt(path), path);
    const first = await follow(path, { client });
    await first.take(1);
    const positions = await first.stop();
    rmSync(path);
    writeFileSync(path, 'two\nthree\n');
    const second = await follow(path, { client, positions });
    expect(await second.take(2)).toEqual(['two', 'three']);
    expect(second.notices).toEqual(['SW_FILE_REPLACED']);
    expect(second.positions.get(path)).toMatchObject({ incarnation: 1, file: { ino: 42 } });
  });

  test('[fault 39] keeps what is deleted until it is read, its last line too, and waits for a new one', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\n');
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    await followed.take(1);
    appendFileSync(path, 'two\nno end');
    rmSync(path);
    expect(await followed.take(2)).toEqual(['two', 'no end']);
    const next = followed.pull();
    await client.looks(3);
    expect(followed.positions.get(path)).toMatchObject({ done: true, incarnation: 0 });
    expect(heldOpen(folder)).toEqual([]);
    writeFileSync(path, 'three\n');
    expect(await next).toEqual(['three']);
    expect(followed.positions.get(path)).toMatchObject({ offset: 6, incarnation: 1 });
  });

  test('[fault 39] does not take a folder that is away for files that are gone', async () => {
    const folder = testFolder();
    const path = logIn(folder, 'one\nhalf');
    const client = lookedAt(path);
    const followed = await follow(path, { client });
    await followed.take(1);
    renameSync(folder, `${folder}-away`);
    const next = followed.pull();
    await client.looks(6);
    appendFileSync(join(`${folder}-away`, 'app.log'), ' a line\n');
    renameSync(`${folder}-away`, folder);
    expect(await next).toEqual(['half a line']);
    expect(followed.positions.get(path)?.incarnation).toBe(0);
  });

  test('[fault 40] looks by itself where folders cannot be watched, or watching stays silent', async () => {
    let fired = 0;
    for (const watchFolder of [
      undefined,
      () => {
        fired += 1;
        throw systemError('ENOSPC');
      },
      () => {
        fired += 1;
        return { close: () => {} };
      },
    ]) {
      const path = logIn(testFolder());
      const client = { ...lookedAt(path), watchFolder } as never;
      const followed = await follow(path, { client });
      const first = followed.pull();
      appendFileSync(path, 'one\n');
      expect(await first).toEqual(['one']);
      renameSync(path, `${path}.1`);
      writeFileSync(path, 'two\n');
      expect(await followed.take(1)).toEqual(['two']);
    }
    expect(fired).toBe(2);
  });

  test('[fault 40] takes a hint, once or many times, for a reason to look sooner and for nothing else', async () => {
    const folder = testFolder();
    const path = logIn(folder);
    const client = lookedAt(path);
    const followed = await follow(path, { client, follow: { pollMs: 1e9 } });
    expect(client.watched).toEqual([folder]);
    const first = followed.pull();
    for (let again = 0; again < 3; again += 1) {
      const looked = client.looks(1);
      client.hint();
      client.hint();
      await looked;
    }
    const looked = client.looks(1);
    appendFileSync(path, 'one\n');
    client.hint();
    await looked;
    expect(await first).toEqual(['one']);
  });

  test('[fault 40] hears from the system itself that something was written', async () => {
    const path = logIn(testFolder());
    const followed = await follow(path, { follow: { pollMs: 30_000 } });
    const first = followed.pull();
    // A watch begins to listen in its own time: write until it is heard.
    let isOver = false;
    const heard = first.then(() => {
      isOver = true;
    });
    let written = 0;
    while (!isOver && written < 100_000) {
      appendFileSync(path, `${(written += 1)}\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await heard;
    expect((await first)?.[0]).toBe('1');
  });

  test('[fault 41] waits for a handle, giving up its own, and reads on', async () => {
    const folder = testFolder();
    const paths = ['a', 'b', 'c'].map((name) => logIn(folder, `${name}1\n`, name));
    let refused = 0;
    const client = lookedAt(paths[0] as string, {
      open: () => {
        if (client.open_ < 2) return undefined;
        refused += 1;
        throw systemError('EMFILE');
      },
    });
    const followed = await follow(paths, { client });
    expect(await followed.take(3)).toEqual(['a1', 'b1', 'c1']);
    for (const path of paths) appendFileSync(path, `${path.at(-1)}2\n`);
    expect((await followed.take(3)).toSorted()).toEqual(['a2', 'b2', 'c2']);
    expect(refused).toBeGreaterThan(1);
    expect(client.mostOpen).toBe(2);
  });

  onLinux('[fault 41] follows 10,000 files with few handles', async () => {
    const folder = testFolder();
    for (let index = 0; index < 10_000; index += 1) writeFileSync(join(folder, `${index}.txt`), `${index}\n`);
    const script = join(import.meta.dirname, 'children/follow-lines.ts');
    const command = `ulimit -n 64; exec "$0" --conditions=@streamweld/source --import tsx "$1" "$2" "$3"`;
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      command,
      process.execPath,
      script,
      folder,
      '10000',
    ]);
    // Each was read, written to and read again.
    expect(JSON.parse(stdout)).toEqual({ limit: '64', items: 20_000, sum: 2 * 49_995_000 });
  });
});

/** What is open of a folder, but not the folder: it may just be looked at. */
function heldOpen(folder: string): string[] {
  return openFilesIn(folder).filter((path) => path !== folder);
}

/** Gives every file at these paths one number, as a file system does that gives numbers out again. */
function sameNumber<L extends ReturnType<typeof lookedAt>>(layer: L, ...paths: string[]): L {
  const { stat, open } = layer;
  const renumber = <S extends object>(found: S): S => Object.assign(found, { ino: 42 });
  return Object.assign(layer, {
    stat: async (at: string) => (paths.includes(at) ? renumber(await stat(at)) : stat(at)),
    open: async (at: string, flags: string | number, mode?: number) => {
      const handle = await open(at, flags, mode);
      return paths.includes(at) ? { ...handle, stat: async () => renumber(await handle.stat()) } : handle;
    },
  });
}
