/**
 * Looks at the packages as their users get them: opens every door of the build with `import` and `require`,
 * packs each package, checks what is in the tarball, and asks publint and "are the types wrong" about it.
 * Run it after a build: `pnpm check:packages` does both.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
}

const workspace = join(import.meta.dirname, '..');
const tarballs = mkdtempSync(join(tmpdir(), 'streamweld-packages-'));
const problems: string[] = [];

try {
  for (const folder of readdirSync(join(workspace, 'packages'))) {
    const root = join(workspace, 'packages', folder);
    if (!existsSync(join(root, 'package.json'))) continue;
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    if (manifest.private) continue;
    const before = problems.length;
    openDoors(root, manifest);
    checkTarball(root, manifest);
    console.log(`${problems.length === before ? 'ok ' : 'BAD'} ${manifest.name}`);
  }
} finally {
  rmSync(tarballs, { recursive: true });
}
for (const problem of problems) console.error(`\n${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Imports the package by its own name and without the source condition: what answers is dist. */
function openDoors(root: string, { name, exports }: Manifest): void {
  for (const door of Object.keys(exports)) {
    const specifier = JSON.stringify(name + door.slice(1));
    // Node requires an ES module from 20.19 on.
    const script = `await import(${specifier}); if (process.features.require_module) process.getBuiltinModule('node:module').createRequire(process.cwd() + '/x.js')(${specifier})`;
    run(root, process.execPath, [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      script,
    ]);
  }
}

function checkTarball(root: string, { name, exports }: Manifest): void {
  const packed = execFileSync('pnpm', ['pack', '--json', '--pack-destination', tarballs], {
    cwd: root,
    encoding: 'utf8',
  });
  const { filename, files } = JSON.parse(packed) as { filename: string; files: readonly { path: string }[] };
  const paths = new Set(files.map((file) => file.path));
  for (const needed of ['README.md', 'LICENSE', 'dist/index.js.map', 'dist/index.d.ts.map', 'src/index.ts']) {
    // A package may have subpaths only: then no index is expected in it.
    if (needed.includes('index') && !existsSync(join(root, 'src/index.ts'))) continue;
    if (!paths.has(needed)) problems.push(`${name}: the tarball lacks ${needed}`);
  }
  for (const path of paths) {
    if (/\.tsbuildinfo$|^test\/|^bench\//.test(path))
      problems.push(`${name}: the tarball holds ${path}, which is ours alone`);
  }
  const packedManifest = execFileSync('tar', ['-xzOf', filename, 'package/package.json'], {
    encoding: 'utf8',
  });
  for (const leftover of ['@streamweld/source', 'workspace:']) {
    if (packedManifest.includes(leftover))
      problems.push(`${name}: the packed package.json still says ${leftover}`);
  }
  const doors = Object.keys((JSON.parse(packedManifest) as Manifest).exports);
  if (doors.join() !== Object.keys(exports).join()) {
    problems.push(`${name}: exports and publishConfig.exports name different doors`);
  }
  const bin = join(workspace, 'node_modules/.bin');
  run(root, join(bin, 'publint'), ['run', filename, '--strict']);
  run(root, join(bin, 'attw'), [filename, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']);
}

/** Runs a command that is to succeed; if it does not, what it said is the problem. */
function run(cwd: string, file: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) problems.push(`${file} ${args.join(' ')}\n${stdout}${stderr}`);
}
