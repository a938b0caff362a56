import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Block, workspace } from './blocks.ts';

/** Inside the tools package, so that blocks find the packages of the workspace as its dependencies. */
const folder = join(import.meta.dirname, '.blocks');

/** Type-checks the blocks, each a module of its own, as strictly as the workspace. Answers with what is wrong. */
export function typeCheck(blocks: readonly Block[]): string[] {
  const checked = blocks.filter((block) => block.checked);
  if (checked.length === 0) return [];
  const here = write('check', checked);
  const packages = readdirSync(join(workspace, 'packages')).map((name) => ({
    path: `../../../../packages/${name}`,
  }));
  writeFileSync(
    join(here, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../../tsconfig.check.json', include: ['*.ts'], references: packages }),
  );
  const tsc = join(workspace, 'node_modules/.bin/tsc');
  const { status, stdout, stderr } = spawnSync(tsc, ['-b', here, '--pretty', 'false'], {
    cwd: workspace,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return [];
  const said = `${stdout}${stderr}`.trim();
  // The code stands on the lines it has in its document, so only the name of the file is to be put back.
  return said.split('\n').map((line) => {
    const block = checked.find((one) => line.includes(`${fileOf(one)}(`));
    return block === undefined
      ? line
      : block.document + line.slice(line.indexOf(fileOf(block)) + fileOf(block).length);
  });
}

/** Runs a block from the sources of the workspace, in an empty working folder. */
export function run(block: Block): { exitCode: number | null; stdout: string; stderr: string } {
  const here = write(`run-${fileOf(block)}`, [block]);
  const cwd = mkdtempSync(join(tmpdir(), 'streamweld-snippet-'));
  try {
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const args = ['--conditions=@streamweld/source', '--import', tsx, join(here, fileOf(block))];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd,
      encoding: 'utf8',
      timeout: 60_000,
      // Whatever started the tests may ask for colours; what is compared has none.
      env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: '0' },
    });
    return { exitCode: status, stdout, stderr };
  } finally {
    rmSync(cwd, { recursive: true });
    rmSync(here, { recursive: true });
  }
}

function write(name: string, blocks: readonly Block[]): string {
  const here = join(folder, name);
  rmSync(here, { recursive: true, force: true });
  mkdirSync(here, { recursive: true });
  for (const block of blocks) {
    // `export {}` makes a module of a block that imports nothing.
    writeFileSync(join(here, fileOf(block)), `${'\n'.repeat(block.line - 1)}${block.code}\nexport {};\n`);
  }
  return here;
}

function fileOf({ document, line }: Block): string {
  return basename(document.replaceAll('/', '-').replace(/\.md$/, `-${line}.ts`));
}
