import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess } from '@streamweld/app-kit/test';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Enough rows for a file to be under way for a while. */
const MANY_ROWS = 400_000;

const main = new URL('../src/main.ts', import.meta.url);
let folder: string;
let app: AppProcess | undefined;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'converter-app-'));
});
afterEach(async () => {
  await app?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** @returns the app, which is ended after the test if it has not. */
function start(...args: readonly string[]): AppProcess {
  return (app = new AppProcess(main, args, { cwd: folder }));
}

async function writeMany(files: number): Promise<void> {
  const rows = Array.from({ length: MANY_ROWS }, (_, n) => `${n},row ${n}`);
  for (let file = 1; file <= files; file += 1)
    await writeFile(at(`${file}.csv`), `n,text\n${rows.join('\n')}\n`);
}

/** Resolves when there is an output that is not whole yet. */
async function untilUnderWay(): Promise<void> {
  while (!(await readdir(folder)).some((name) => name.endsWith('.part'))) await new Promise(setImmediate);
}

describe('file-converter', () => {
  it('shows itself without arguments: CSV to Parquet to NDJSON to CSV, on one thread and two', async () => {
    const { code, stdout, stderr } = await start('--rows', '1003', '--threads', '2', '--out', 'show').ended;
    expect(code, stdout + stderr).toBe(0);
    expect(stdout.match(/✓/g)).toHaveLength(6);
    expect(stdout).toContain('2 threads: 1,003 of 1,003 rows equal and in order in NDJSON');
    expect(stdout).toContain('2 threads: 8 of 8 CSV files have the checksum of what they were made of');
    expect(stdout).toMatch(/all +[\d.]+ s +[\d.]+ s +[\d.]+×/);
    expect(stderr.match(/file-converter completed in .*8 items/g)).toHaveLength(6);
    expect(await readdir(at('show/streamweld-file-converter/threads/parquet'))).toHaveLength(8);
  });

  it('converts what it can, tells what it cannot and why, and leaves what is there', async () => {
    await writeFile(at('good.csv'), 'n,s\n1,x\n2,\n');
    await writeFile(at('good2.ndjson'), '{"n":1,"s":null}\n');
    await writeFile(at('bad.csv'), 'n,s\n1,x\n2\n');
    await writeFile(at('there.csv'), 'n\n1\n');
    await writeFile(at('there.parquet'), 'mine');
    const { code, stdout, stderr } = await start('.', '--to', 'parquet', '--types', '--threads', '2').ended;
    expect(code, stdout + stderr).toBe(1);
    expect(stdout).toMatch(/✓ good\.csv +→ good\.parquet +2 rows/);
    expect(stdout).toMatch(/✗ bad\.csv\n +Record 3, at byte 8, .*SW_FORMAT_RAGGED_ROW/);
    expect(stdout).toMatch(/✗ there\.csv\n +There is a file of that name already/);
    expect(stdout).toMatch(/2 files converted, 3 rows, 2 refused/);
    expect(stdout).toContain('✓ 3 rows converted, 3 in the Parquet files');
    expect(stdout).toContain('✓ 4 of 4 files that were given are as they were');
    expect(await parquetReadObjects({ file: await asyncBufferFromFile(at('good.parquet')) })).toEqual([
      { n: 1n, s: 'x' },
      { n: 2n, s: '' },
    ]);
    expect(await readFile(at('there.parquet'), 'utf8')).toBe('mine');
    expect((await readdir(folder)).sort()).toEqual(
      [
        'bad.csv',
        'good.csv',
        'good.parquet',
        'good2.ndjson',
        'good2.parquet',
        'there.csv',
        'there.parquet',
      ].sort(),
    );
  });

  it('converts images', async () => {
    const image = sharp({ create: { width: 64, height: 48, channels: 3, background: '#06c' } });
    await writeFile(at('a.png'), await image.png().toBuffer());
    await writeFile(at('b.jpg'), await image.jpeg().toBuffer());
    const { code, stdout, stderr } = await start('a.png', 'b.jpg', '--to', 'webp').ended;
    expect(code, stdout + stderr).toBe(0);
    for (const name of ['a.webp', 'b.webp'])
      expect(await sharp(at(name)).metadata()).toMatchObject({ format: 'webp', width: 64, height: 48 });
  });

  it('finishes what is under way at Ctrl-C, and says what was not begun', async () => {
    await writeMany(6);
    const running = start('.', '--to', 'ndjson', '--threads', '1');
    await untilUnderWay();
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect(code, stdout + stderr).toBe(1);
    expect(stderr).toContain('Stopping: files under way are finished');
    const [, notBegun = ''] = /(\d) files? not begun: stopped before the end/.exec(stdout) ?? [];
    const outputs = (await readdir(folder)).filter((name) => name.endsWith('.ndjson'));
    expect(outputs.length).toBeGreaterThan(0);
    expect(outputs).toHaveLength(6 - Number(notBegun));
    for (const name of outputs)
      expect((await readFile(at(name), 'utf8')).split('\n')).toHaveLength(MANY_ROWS + 1);
    expect(await readdir(folder)).toHaveLength(6 + outputs.length);
  });

  it('gives up at a second Ctrl-C, and leaves nothing that is not whole', async () => {
    await writeMany(2);
    const running = start('.', '--to', 'parquet', '--types', '--threads', '2');
    await untilUnderWay();
    running.interrupt();
    await running.says(/Stopping/);
    running.interrupt();
    const { code, stdout, stderr } = await running.ended;
    expect(code, stdout + stderr).toBe(130);
    expect(stderr).toContain('Aborted by a second Ctrl-C');
    expect(await readdir(folder)).toEqual(['1.csv', '2.csv']);
  });

  it('leaves no half file under a final name when it is killed, and converts all the next time', async () => {
    await writeMany(2);
    const running = start('.', '--to', 'ndjson', '--threads', '2');
    await untilUnderWay();
    running.child.kill('SIGKILL');
    await running.ended;
    const left = await readdir(folder);
    expect(left.some((name) => name.endsWith('.part'))).toBe(true);
    expect(left.filter((name) => name.endsWith('.ndjson'))).toEqual([]);
    const { code, stdout, stderr } = await start('.', '--to', 'ndjson', '--threads', '2').ended;
    expect(code, stdout + stderr).toBe(0);
    expect((await readFile(at('2.ndjson'), 'utf8')).split('\n')).toHaveLength(MANY_ROWS + 1);
  });

  it('answers what cannot be meant with what is expected, as does --help', async () => {
    const { code, stdout, stderr } = await start('gone.csv', '--to', 'ndjson').ended;
    expect(code).toBe(2);
    expect(stderr).toContain('gone.csv: expected a file or a folder, got ENOENT.');
    expect(stdout).toBe('');
    const help = await start('--help').ended;
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('--threads N');
  });
});
