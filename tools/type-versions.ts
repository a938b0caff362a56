/**
 * Reads the published declarations with older and newer TypeScript, as a user does: packs each package, installs the
 * tarballs and the compilers in an empty folder, and compiles a program that imports every door. `pnpm check:types`;
 * not part of CI, because it fetches seven compilers. Exits with 1 where a version that is promised cannot read them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { findDoors } from './api/doors.ts';

/** The least that docs/compatibility.md promises. Older ones are tried to see that it is the least. */
const PROMISED_FROM = '5.4';
const VERSIONS = ['5.2', '5.4', '5.6', '5.9', '6.0', '7.0'];
const MODULES = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const;

const workspace = join(import.meta.dirname, '..');
const doors = findDoors(workspace);
const folder = mkdtempSync(join(tmpdir(), 'streamweld-types-'));
try {
  install();
  writeFileSync(join(folder, 'program.ts'), program());
  let isBad = false;
  for (const version of VERSIONS) {
    for (const modules of MODULES) {
      for (const skipLibCheck of [true, false]) {
        const said = compile(version, { ...modules, skipLibCheck });
        const what = `TypeScript ${version}  ${modules.moduleResolution.padEnd(8)}  ${skipLibCheck ? 'skipLibCheck' : 'all checked '}`;
        const ours = said.filter((line) => !line.includes('node_modules/') || line.includes('@streamweld/'));
        console.log(`${what}  ${ours.length === 0 ? 'ok' : `${ours.length} errors, as ${ours[0]}`}`);
        if (said.length > ours.length)
          console.log(`    and ${said.length - ours.length} errors in the types of others`);
        isBad ||= ours.length > 0 && Number(version) >= Number(PROMISED_FROM);
      }
    }
  }
  process.exitCode = isBad ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

function install(): void {
  const dependencies: Record<string, string> = { '@types/node': '20.19.43', '@opentelemetry/api': '1.9.1' };
  for (const root of new Set(doors.map((door) => door.root))) {
    const packed = execFileSync('pnpm', ['pack', '--json', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
    });
    const { name, filename } = JSON.parse(packed) as { name: string; filename: string };
    dependencies[name] = `file:${relative(folder, filename)}`;
  }
  for (const version of VERSIONS) dependencies[aliasOf(version)] = `npm:typescript@${version}`;
  // What the tarballs name by version is each other: there is no registry that has them.
  const overrides = Object.fromEntries(
    Object.entries(dependencies).filter(([name]) => name.startsWith('@streamweld/')),
  );
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies, overrides }),
  );
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  });
}

function aliasOf(version: string): string {
  return `typescript-${version.replace('.', '-')}`;
}

/** Imports every door, and uses what has the most demanding types. */
function program(): string {
  const imports = doors.map(({ specifier }, index) => `import * as door${index} from '${specifier}';`);
  return `${imports.join('\n')}
import { ConcurrentPipeline, DispatchedPipelineBuilder, from, type RunReport } from '@streamweld/core';
import { FileSink, FileSource } from '@streamweld/file';

export const doors = [${doors.map((_, index) => `door${index}`).join(', ')}];
export async function run(): Promise<RunReport> {
  const flow = from(new FileSource('in.csv', { format: 'csv' })).map((row) => Number(row['delay'])).filter((n) => n > 0);
  const delays: door0.Flow<number> = flow;
  const dispatcher = new DispatchedPipelineBuilder<number>().partition(['a', 'b'], (n) => (n > 60 ? 'a' : 'b'));
  await dispatcher.subscribeSink(new FileSink('a.ndjson', { format: 'ndjson' }), 'a');
  // @ts-expect-error There is no such partition.
  await dispatcher.subscribeSink(new FileSink('b.ndjson', { format: 'ndjson' }), 'c');
  await using pipeline = new ConcurrentPipeline(delays, dispatcher.createSink());
  return pipeline.run();
}
`;
}

function compile(version: string, options: Record<string, unknown>): string[] {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    ...options,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, 'node_modules', aliasOf(version), 'bin/tsc'), '--pretty', 'false'],
    { cwd: folder, encoding: 'utf8' },
  );
  return `${stdout}${stderr}`.split('\n').filter((line) => /error|Error/u.test(line));
}
