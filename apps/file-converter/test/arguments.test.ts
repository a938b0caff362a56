import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readArguments } from '../src/arguments.ts';
import { findJobs } from '../src/jobs.ts';

describe('the arguments', () => {
  it.each([
    [['a.csv'], '--to: expected one of csv, csv.gz, ndjson, ndjson.gz, parquet, webp, avif, got nothing.'],
    [
      ['a.csv', '--to', 'xlsx'],
      "--to: expected one of csv, csv.gz, ndjson, ndjson.gz, parquet, webp, avif, got 'xlsx'.",
    ],
    [['a.csv', '--to', 'csv', '--threads', '0'], "--threads: expected a whole number from 1 to 64, got '0'."],
    [['--rows', '1e3'], "--rows: expected a whole number from 1 to 3000000, got '1e3'."],
    [['--to', 'csv'], '--to: expected files or folders beside it, got none.'],
    [['--force'], '--force: expected files or folders beside it, got none.'],
    [['a.csv', '--to', 'ndjson', '--null', 'a,b'], '--null: expected a text without commas'],
  ])('%j are refused', (args, message) => {
    expect(() => readArguments(args)).toThrow(message);
  });

  it('are taken as they are said', () => {
    expect(
      readArguments(['a.csv', 'b', '--to', 'parquet', '--threads', '3', '--types', '--null', '']),
    ).toMatchObject({
      paths: ['a.csv', 'b'],
      to: 'parquet',
      threads: 3,
      types: true,
      nullText: '',
      force: false,
    });
  });
});

describe('the files that are found', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const find = (paths: readonly string[], to: 'parquet' | 'csv' | 'webp', out?: string) =>
    findJobs({ paths: paths.map(at), to, out: out && at(out) });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobs-'));
    await mkdir(at('in/deep'), { recursive: true });
    const names = [
      'a.csv',
      'in/z.jsonl',
      'in/deep/b.CSV.gz',
      'in/c.parquet',
      'in/.d.csv',
      'in/e.txt',
      'in/f.png',
    ];
    for (const name of names) await writeFile(at(name), '');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('of a folder are those that can become the format, within folders too', async () => {
    const jobs = await find(['a.csv', 'in'], 'parquet', 'out');
    expect(jobs.map(({ input, output }) => [input, output])).toEqual([
      [at('a.csv'), at('out/a.parquet')],
      [at('in/deep/b.CSV.gz'), at('out/deep/b.parquet')],
      [at('in/z.jsonl'), at('out/z.parquet')],
    ]);
    expect((await find(['in'], 'webp')).map(({ output }) => output)).toEqual([at('in/f.webp')]);
  });

  it.each([
    [
      'a path that is not there',
      ['gone.csv'],
      'parquet',
      /gone.csv: expected a file or a folder, got ENOENT/,
    ],
    ['a file of no known ending', ['in/e.txt'], 'parquet', /e.txt has no ending that is known/],
    ['a file that has the format', ['in/c.parquet'], 'parquet', /c.parquet cannot become parquet/],
    ['an image to a table', ['in/f.png'], 'csv', /f.png cannot become csv/],
    ['a folder with nothing to convert', ['in/deep'], 'csv', undefined],
  ] as const)('are no jobs: %s', async (_, paths, to, reason) => {
    if (reason === undefined)
      await expect(find(paths, 'webp')).rejects.toThrow(/There is no file in .* that can become webp/);
    else await expect(find(paths, to)).rejects.toThrow(reason);
  });

  it('may not become one file, nor an input', async () => {
    await writeFile(at('a.ndjson'), '');
    await expect(find(['a.csv', 'a.ndjson'], 'parquet')).rejects.toThrow(/would both become .*a\.parquet/);
    await writeFile(at('b.csv.gz'), '');
    await writeFile(at('b.parquet'), '');
    await expect(find(['b.parquet', 'b.csv.gz'], 'csv')).rejects.toThrow(/would both become/);
    await expect(find(['a.csv'], 'parquet', 'in/e.txt')).rejects.toThrow(/--out: expected a folder/);
  });
});
