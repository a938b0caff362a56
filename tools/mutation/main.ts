/**
 * Tests the tests of core's channel, delivery and dispatch: `pnpm mutate` for all of it, `pnpm mutate delivery
 * dispatch/outlet.ts` for folders or files. A mutant that no test sees is either missing a test, or is explained in
 * `survivors.json`; one that is explained and seen all the same is reported as stale.
 */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compare, type Mutant, type Survivor } from './compare.ts';
import { FOLDERS, mutateFiles } from './mutate.ts';

const LEAST_PERCENT = 90;
const workspace = path.resolve(import.meta.dirname, '../..');
const src = 'packages/core/src';

const wanted = process.argv.slice(2);
const known = JSON.parse(
  readFileSync(path.join(import.meta.dirname, 'survivors.json'), 'utf8'),
) as readonly Survivor[];

for (const folder of FOLDERS) {
  const files = readdirSync(path.join(workspace, src, folder))
    .map((name) => `${folder}/${name}`)
    .filter((file) => wanted.length === 0 || wanted.includes(folder) || wanted.includes(file));
  if (files.length === 0) continue;
  const results = await mutateFiles(
    folder,
    files.map((file) => `${src}/${file}`),
  );
  const mutants = results
    .map((result) => ({ ...result, file: path.relative(path.join(workspace, src), result.fileName) }))
    .filter(({ file }) => files.includes(file))
    .map(
      ({ file, mutatorName, replacement, status, location }): Mutant => ({
        file,
        mutator: mutatorName,
        replacement: replacement ?? '',
        status,
        location,
        source: readFileSync(path.join(workspace, src, file), 'utf8'),
      }),
    );
  const { killed, unexplained, explained, stale } = compare(
    mutants,
    known.filter(({ file }) => files.includes(file)),
  );
  const valid = killed + unexplained.length + explained;
  const percent = (count: number) => Math.floor((1000 * count) / valid) / 10;
  for (const { file, mutator, line, original, replacement } of unexplained)
    console.log(`SURVIVED ${file}:${line} ${mutator}: ${original} → ${replacement}`);
  for (const { file, mutator, original, replacement } of stale)
    console.log(`STALE    ${file} ${mutator}: ${original} → ${replacement}`);
  console.log(
    `${folder}: ${valid} mutants, ${killed} killed (${percent(killed)} %), ${explained} explained (together ${percent(killed + explained)} %), ${unexplained.length} not`,
  );
  if (percent(killed) < LEAST_PERCENT || unexplained.length > 0 || stale.length > 0) process.exitCode = 1;
}
