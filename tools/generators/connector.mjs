// @ts-check
// `npx nx g @streamweld/tools:connector NAME`: a package of packages/ from the template of create-connector, and a line of it
// wherever packages are listed. Plain JavaScript, because Nx loads it without a compiler.
import { updateJson } from '@nx/devkit';
import { tsImport } from 'tsx/esm/api';
import { afterLast, before, formatLater, insert } from './edit.mjs';

/**
 * @param {import('@nx/devkit').Tree} tree
 * @param {{ readonly name: string }} options
 */
export default async function connector(tree, { name }) {
  /** @type {typeof import('@streamweld/create-connector')} */
  const { fill, namesOf, readTemplate } = await tsImport(
    '../../packages/create-connector/src/index.ts',
    import.meta.url,
  );
  const names = namesOf(name, `@streamweld/${name}`);
  const folder = `packages/${name}`;
  if (tree.exists(folder)) throw new Error(`There is a package ${folder} already: take another name.`);

  for (const [file, text] of await readTemplate()) tree.write(`${folder}/${file}`, fill(text, names));
  writeManifest(tree, folder, names);
  tree.write(`${folder}/tsconfig.json`, TSCONFIG);
  tree.write(`${folder}/tsconfig.test.json`, TSCONFIG_TEST);
  list(tree, folder, names);
  return formatLater(
    tree,
    [folder, 'tools/test/errors-page.test.ts'],
    [
      `${folder} is there. Its tests: npx --yes pnpm@12 vitest --project ${name}`,
      `Replace src/memory-server.ts, the example: src/client.ts is the only file that imports a client.`,
      `What it exports is kept in a file that is reviewed: npx --yes pnpm@12 api writes it.`,
      `docs/guides/write-a-connector.md goes through it.`,
    ],
  );
}

const TSCONFIG = `{
  "extends": "../../tsconfig.package.json",
  "references": [{ "path": "../core" }]
}
`;

const TSCONFIG_TEST = `{
  "extends": "../../tsconfig.check.json",
  "include": ["test"],
  "references": [{ "path": "." }, { "path": "../core" }, { "path": "../testing" }]
}
`;

/**
 * As that of `packages/file`, which says what all of them say.
 * @param {import('@nx/devkit').Tree} tree
 * @param {string} folder
 * @param {import('@streamweld/create-connector').Names} names
 */
function writeManifest(tree, folder, { name, className, packageName }) {
  tree.write(`${folder}/package.json`, tree.read('packages/file/package.json', 'utf8') ?? '');
  updateJson(tree, `${folder}/package.json`, (manifest) => ({
    ...manifest,
    devDependencies: undefined,
    name: packageName,
    version: '0.0.0',
    description: `Reads and writes ${className} as StreamWeld sources and sinks.`,
    keywords: ['streamweld', name, 'source', 'sink'],
    homepage: manifest.homepage.replace('packages/file', folder),
    repository: { ...manifest.repository, directory: folder },
    dependencies: { '@streamweld/core': 'workspace:^' },
  }));
}

/**
 * Wherever packages are listed: nothing else has to be remembered.
 * @param {import('@nx/devkit').Tree} tree
 * @param {string} folder
 * @param {import('@streamweld/create-connector').Names} names
 */
function list(tree, folder, { name, className, constantName, codePrefix, packageName }) {
  insert(
    tree,
    'tsconfig.json',
    `    { "path": "${folder}" },\n    { "path": "${folder}/tsconfig.test.json" },\n`,
    afterLast(/^ {4}\{ "path": "packages\/.*\n/gm),
  );
  insert(
    tree,
    'tools/tsconfig.json',
    `    { "path": "../${folder}" },\n`,
    before(/^ {4}\{ "path": "\.\.\/packages\/core"/m),
  );
  // Snippets of its README import it.
  updateJson(tree, 'tools/package.json', (manifest) => ({
    ...manifest,
    devDependencies: Object.fromEntries(
      Object.entries({ ...manifest.devDependencies, [packageName]: 'workspace:^' }).sort(([a], [b]) =>
        a < b ? -1 : 1,
      ),
    ),
  }));
  insert(
    tree,
    'README.md',
    `| [\`${packageName}\`](${folder}) | ${className}, as a source and as a sink | nothing |\n`,
    before(/^\| \[`@streamweld\/workers`\]/m),
  );
  tree.write(
    `.changeset/${name}-first.md`,
    `---\n'${packageName}': minor\n---\n\nReads and writes ${className} as sources and sinks.\n`,
  );
  insert(tree, 'docs/errors.md', errorsOf(packageName, codePrefix), (text) => text.length);
  const page = 'tools/test/errors-page.test.ts';
  insert(
    tree,
    page,
    `import { ${constantName}_ERROR_CODES } from '${packageName}';\n`,
    before(/^import \{ describe, expect, it \} from 'vitest'/m),
  );
  insert(
    tree,
    page,
    `    ['${packageName}', Object.keys(${constantName}_ERROR_CODES)],\n`,
    before(/^ {2}\]\)\('has a heading/m),
  );
}

/**
 * @param {string} packageName
 * @param {string} prefix
 */
function errorsOf(packageName, prefix) {
  return `
# ${packageName}

## ${prefix}_UNREACHABLE
When: no connection to the server could be made.
Do: check \`connection.url\`, and that the server runs.

## ${prefix}_DENIED
When: the server refused the password.
Do: check \`connection.password\`.

## ${prefix}_CONNECTION_LOST
When: a connection ended while it was in use.
Do: give the run a \`.retry()\`; the next run connects again.

## ${prefix}_POSITION_INVALID
When: the checkpoint is of another log, or the log was begun anew.
Do: resume with the checkpoint of this log, or remove it to begin at the beginning.

## ${prefix}_FAILED
When: the server failed in a way that has no code of its own here.
Do: look at the cause.
`;
}
