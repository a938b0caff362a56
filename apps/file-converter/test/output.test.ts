import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Output } from '../src/output.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'output-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an output', () => {
  it('has its name when it is whole, and does not take it from a file that came meanwhile', async () => {
    const path = join(folder, 'a.csv');
    const output = await Output.open({
      path,
      temporary: join(folder, '.a.part'),
      isGzip: false,
      force: false,
    });
    await output.write(Buffer.from('ours'));
    expect(await readdir(folder)).toEqual(['.a.part']);
    await writeFile(path, 'theirs');
    await expect(output.finish()).rejects.toThrow('There is a file of that name already.');
    await output.discard();
    expect(await readFile(path, 'utf8')).toBe('theirs');
    expect(await readdir(folder)).toEqual(['a.csv']);
  });
});
