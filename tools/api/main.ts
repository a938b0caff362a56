/**
 * The API of every door as a reviewed file: `pnpm api` writes them, `pnpm api:check` compares them with the code and
 * asks for a changeset where they changed (`--base COMMIT`: compared with that). Both build the declarations first.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { deprecationsOf, overdue } from './deprecations.ts';
import { findDoors } from './doors.ts';
import { extractAll } from './extract.ts';
import { History } from './history.ts';
import { changesetProblems, type PackageNow, unexportedProblems } from './rules.ts';
import { UNEXPORTED } from './unexported.ts';

const workspace = join(import.meta.dirname, '../..');
const { values } = parseArgs({ options: { check: { type: 'boolean' }, base: { type: 'string' } } });

const doors = findDoors(workspace);
const folders = [...new Set(doors.map(({ root }) => relative(workspace, root)))];
execFileSync(join(workspace, 'node_modules/.bin/tsc'), ['-b', ...folders], {
  cwd: workspace,
  stdio: 'inherit',
});
const reports = extractAll(doors);
const problems: string[] = [];

if (!values.check) write();
else compareWithFiles();
for (const folder of folders) {
  const own = [...reports].filter(([door]) => relative(workspace, door.root) === folder);
  const name = own[0]?.[0].package ?? folder;
  problems.push(
    ...unexportedProblems(
      name,
      own.map(([, report]) => report),
      UNEXPORTED[name] ?? {},
    ),
  );
}
checkDeprecations();
if (values.check) checkChangesets();

for (const problem of problems) console.error(`${problem}\n`);
console.log(
  `${doors.length} doors, ${problems.length === 0 ? 'as their files say' : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`}`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

function write(): void {
  for (const folder of folders) rmSync(join(workspace, folder, 'api'), { recursive: true, force: true });
  for (const [door, { text }] of reports) {
    mkdirSync(dirname(join(workspace, door.file)), { recursive: true });
    writeFileSync(join(workspace, door.file), text);
  }
}

function compareWithFiles(): void {
  const known = new Set(doors.map(({ file }) => file));
  for (const [door, { text }] of reports) {
    const path = join(workspace, door.file);
    if (!existsSync(path))
      problems.push(`${door.file} is missing: run \`pnpm api\` and commit what it writes.`);
    else if (readFileSync(path, 'utf8') !== text)
      problems.push(
        `${door.file} is not what ${door.specifier} exports now. If the change is meant, run \`pnpm api\`, look at the difference, and commit it with a changeset.`,
      );
  }
  for (const folder of folders) {
    for (const path of textsOf(`${folder}/api`).keys()) {
      if (!known.has(path)) problems.push(`${path} belongs to no door: run \`pnpm api\`.`);
    }
  }
}

function checkDeprecations(): void {
  for (const folder of folders) {
    const { version } = JSON.parse(
      readFileSync(join(workspace, folder, 'package.json'), 'utf8'),
    ) as PackageNow;
    for (const name of readdirSync(join(workspace, folder, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = join(folder, 'src', name);
      const found = deprecationsOf(file, readFileSync(join(workspace, file), 'utf8'));
      problems.push(...found.problems, ...overdue(found.deprecations, version));
    }
  }
}

function checkChangesets(): void {
  const history = new History(workspace);
  const changesets = new Map([...textsOf('.changeset')].filter(([path]) => /(?<!README)\.md$/u.test(path)));
  for (const folder of folders) {
    const { name, version } = JSON.parse(
      readFileSync(join(workspace, folder, 'package.json'), 'utf8'),
    ) as PackageNow;
    try {
      const base = history.base(name, values.base);
      const now = { name, folder, version, apiFiles: textsOf(`${folder}/api`) };
      if (base !== undefined) problems.push(...changesetProblems(now, base, history, changesets));
    } catch (error) {
      const { message } = error as Error;
      // A clone without its past can be checked in all else; the workflow fetches all of it.
      if (values.base === undefined)
        console.warn(`Skipped: changes of the API without a changeset. ${message}`);
      else problems.push(message);
      return;
    }
  }
}

/** The files of a folder of the working tree, by their paths from the top. */
function textsOf(folder: string): Map<string, string> {
  if (!existsSync(join(workspace, folder))) return new Map();
  return new Map(
    readdirSync(join(workspace, folder)).map((file) => [
      `${folder}/${file}`,
      readFileSync(join(workspace, folder, file), 'utf8'),
    ]),
  );
}
