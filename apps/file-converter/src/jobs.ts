/** Which files are converted, and to what: known before anything is begun. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { ArgumentError } from '@streamweld/app-kit';
import type { Job } from './convert.ts';
import { canBecome, type FileKind, kindOf, stemOf, type Target } from './file-kind.ts';

export interface Wanted {
  readonly paths: readonly string[];
  readonly to: Target;
  readonly out: string | undefined;
}

interface Found {
  readonly input: string;
  /** Its path below the folder that was given; its name, where it was given itself. */
  readonly below: string;
  readonly from: FileKind;
}

/**
 * In the order of the arguments, and of a folder by name. Makes the folders that the outputs go to.
 * @throws ArgumentError where something is not there, cannot become the format, or two files would become one
 */
export async function findJobs({ paths, to: target, out }: Wanted): Promise<Job[]> {
  const to = kindOf(`.${target}`) as FileKind;
  const found = (await Promise.all(paths.map((path) => find(path, to, target)))).flat();
  if (found.length === 0)
    throw new ArgumentError(`There is no file in ${paths.join(', ')} that can become ${target}.`);
  const run = randomUUID().slice(0, 8);
  const jobs = found.map(({ input, below, from }): Job => {
    const output = `${stemOf(out === undefined ? input : join(out, below))}.${target}`;
    const temporary = join(dirname(output), `.${basename(output)}.${run}.part`);
    return { input, from, output, to, temporary };
  });
  checkOutputs(jobs);
  for (const folder of new Set(jobs.map(({ output }) => dirname(output)))) await makeFolder(folder);
  return jobs;
}

async function find(path: string, to: FileKind, target: Target): Promise<Found[]> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new ArgumentError(`${path}: expected a file or a folder, got ${error.code ?? error.message}.`);
  });
  if (about.isDirectory()) return findInside(path, to);
  const from = kindOf(path);
  if (from !== undefined && canBecome(from, to)) return [{ input: path, below: basename(path), from }];
  const what = from === undefined ? 'has no ending that is known' : `cannot become ${target}`;
  throw new ArgumentError(`${path} ${what}. --help tells what can become what.`);
}

/** What it can do nothing with is left out, as is what begins with a dot: outputs that are not whole do. */
async function findInside(folder: string, to: FileKind): Promise<Found[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .flatMap((entry): Found[] => {
      const input = join(entry.parentPath, entry.name);
      const from = kindOf(entry.name);
      if (!entry.isFile() || entry.name.startsWith('.') || from === undefined || !canBecome(from, to))
        return [];
      return [{ input, below: relative(folder, input), from }];
    })
    .sort((a, b) => (a.input < b.input ? -1 : 1));
}

function checkOutputs(jobs: readonly Job[]): void {
  const byOutput = new Map<string, Job>();
  const inputs = new Set(jobs.map(({ input }) => resolve(input)));
  for (const job of jobs) {
    const output = resolve(job.output);
    const other = byOutput.get(output);
    if (other !== undefined)
      throw new ArgumentError(
        `${other.input} and ${job.input} would both become ${job.output}. Name one, or use --out.`,
      );
    if (inputs.has(output))
      throw new ArgumentError(`${job.input} would become ${job.output}, which is an input too. Use --out.`);
    byOutput.set(output, job);
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new ArgumentError(
      `--out: expected a folder, or where one can be made, got ${(error as Error).message}.`,
    );
  }
}
