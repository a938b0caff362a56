/** The whole of it: release, look at the tarballs, install each alone, open its doors, weigh it. */

import fs from 'node:fs';
import path from 'node:path';
import { BROUGHT, compareBrought } from './brought.ts';
import { BUNDLES, weigh } from './bundles.ts';
import { askCommands, checkTypes, openDoors } from './doors.ts';
import { doorsOf } from './manifest.ts';
import { inParallel, type ProgramOptions } from './program.ts';
import { install } from './project.ts';
import { startRegistry } from './registry.ts';
import { bytes, table } from './table.ts';
import { checkTarball } from './tarball.ts';
import { copyWorkspace, type Published, release } from './workspace-copy.ts';

/** At once: most of an install waits, and of two cores one is the registry's. */
const WIDTH = 3;

type Options = Omit<ProgramOptions, 'cwd'>;

/** @returns what is wrong, each with the package it is wrong with. */
export async function check(
  workspace: string,
  folder: string,
  options: Options,
  say: (line: string) => void,
): Promise<string[]> {
  const began = performance.now();
  const lap = (what: string): void => say(`${((performance.now() - began) / 1000).toFixed(0)} s: ${what}`);
  const registry = await startRegistry(folder, { ...options, cwd: folder });
  try {
    lap(`a registry answers at ${registry.url}`);
    const own = { env: registry.env, signal: options.signal };
    const copy = path.join(folder, 'copy');
    copyWorkspace(workspace, copy);
    const published = await release(workspace, copy, own);
    lap(`${published.length} packages published`);
    const looks = await inParallel(published, WIDTH, (each) =>
      look(each, workspace, folder, registry.url, own),
    );
    lap('each looked at, and installed alone');
    say('');
    say(
      table(
        ['package', 'packed', 'unpacked', 'installed alone', 'packages'],
        looks.map(({ row }) => row),
      ),
    );
    const problems = looks.flatMap((each) => each.problems);
    say('');
    say(table(['program, bundled', 'minified', 'gzip', 'at most'], await weighAll(folder, problems)));
    return problems;
  } finally {
    await registry.close();
  }
}

async function look(
  { name, version, manifest }: Published,
  workspace: string,
  folder: string,
  registry: string,
  options: Options,
): Promise<{ readonly row: readonly string[]; readonly problems: string[] }> {
  const short = name.slice(name.indexOf('/') + 1);
  const problems: string[] = [];
  const file = path.join(folder, `${short}.tgz`);
  fs.writeFileSync(file, await download(registry, name, version));
  const tarball = await checkTarball(
    manifest,
    file,
    path.join(folder, 'unpacked', short),
    workspace,
    options,
  );
  problems.push(...tarball.problems);

  const alone = await install(projectOf(folder, name), [`${name}@${version}`], options);
  const brought = BROUGHT[name];
  if (brought === undefined) {
    problems.push('is not in the list of what packages bring, tools/release-check/brought.ts');
  } else {
    const { uninvited, missing } = compareBrought(brought, alone.brought);
    if (uninvited.length > 0)
      problems.push(`brings what it does not say in tools/release-check/brought.ts: ${uninvited.join(', ')}`);
    if (missing.length > 0)
      problems.push(`does not bring ${missing.join(', ')}, as tools/release-check/brought.ts says`);
  }
  if (alone.scripted.length > 0)
    problems.push(`brings packages that run a program when they are installed: ${alone.scripted.join(', ')}`);

  const doors = doorsOf(manifest);
  const peers = brought?.peers ?? {};
  const specifier = (door: string): string => name + door.slice(1);
  const inAlone = doors.filter((door) => peers[door] === undefined).map(specifier);
  const types = Object.fromEntries(
    (brought?.types ?? []).map((type) => [type, path.join(workspace, 'node_modules', type)]),
  );
  const compiler = path.join(workspace, 'node_modules/.bin/tsc');
  problems.push(...(await openDoors(inAlone, alone.folder, options)));
  problems.push(...(await checkTypes(inAlone, alone.folder, types, compiler, options)));
  problems.push(...(await askCommands(manifest, alone.folder, options)));
  for (const [door, peer] of Object.entries(peers)) {
    const range = manifest.peerDependencies?.[peer];
    if (range === undefined) {
      problems.push(`${door} needs ${peer}, which is not among its peers`);
      continue;
    }
    const both = await install(
      path.join(folder, 'with-peer', short),
      [`${name}@${version}`, `${peer}@${range}`],
      options,
    );
    problems.push(...(await openDoors([specifier(door)], both.folder, options)));
    problems.push(...(await checkTypes([specifier(door)], both.folder, types, compiler, options)));
  }
  return {
    row: [name, bytes(tarball.packed), bytes(tarball.unpacked), bytes(alone.bytes), String(alone.packages)],
    problems: problems.map((problem) => `${name}: ${problem}`),
  };
}

function projectOf(folder: string, name: string): string {
  return path.join(folder, 'alone', name.slice(name.indexOf('/') + 1));
}

async function download(registry: string, name: string, version: string): Promise<Buffer> {
  const short = name.slice(name.indexOf('/') + 1);
  const answer = await fetch(`${registry}${name}/-/${short}-${version}.tgz`);
  if (!answer.ok) throw new Error(`${name}@${version} is not at the registry: it answers ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

async function weighAll(folder: string, problems: string[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const { title, package: name, program, limit } of BUNDLES) {
    const { minified, gzip } = await weigh(program, projectOf(folder, name));
    if (gzip > limit) {
      problems.push(
        `${title}: ${bytes(gzip)} when bundled and compressed, above the ${bytes(limit)} of tools/release-check/bundles.ts`,
      );
    }
    rows.push([title, bytes(minified), bytes(gzip), bytes(limit)]);
  }
  return rows;
}
