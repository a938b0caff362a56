// @ts-check
// `npx nx g @streamweld/tools:app NAME`: an example of apps/ from the files beside this one, and a line of it wherever apps
// are listed. Plain JavaScript, because Nx loads it without a compiler.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';
import { afterLast, formatLater, insert } from './edit.mjs';

const FILES = [
  'README.md',
  'src/arguments.ts',
  'src/main.ts',
  'src/pipeline.ts',
  'src/work.ts',
  'test/app.test.ts',
];

/**
 * @param {import('@nx/devkit').Tree} tree
 * @param {{ readonly name: string }} options
 */
export default async function app(tree, { name }) {
  /** @type {typeof import('@streamweld/create-connector')} */
  const { fill, namesOf } = await tsImport('../../packages/create-connector/src/index.ts', import.meta.url);
  const names = namesOf(name, `@streamweld/app-${name}`);
  const folder = `apps/${name}`;
  if (tree.exists(folder)) throw new Error(`There is an app ${folder} already: take another name.`);
  for (const file of FILES) {
    tree.write(
      `${folder}/${file}`,
      fill(readFileSync(join(import.meta.dirname, 'app', file), 'utf8'), names),
    );
  }
  tree.write(`${folder}/tsconfig.json`, TSCONFIG);
  tree.write(
    `${folder}/package.json`,
    `${JSON.stringify(
      {
        name: names.packageName,
        version: '0.0.0',
        private: true,
        description: 'Counts words, and proves that it has counted them all.',
        keywords: ['concurrent'],
        license: 'Apache-2.0',
        type: 'module',
        scripts: { start: 'node --conditions=@streamweld/source --import tsx src/main.ts' },
        dependencies: { '@streamweld/app-kit': 'workspace:^', '@streamweld/core': 'workspace:^' },
      },
      undefined,
      2,
    )}\n`,
  );
  insert(tree, 'tsconfig.json', `    { "path": "${folder}" },\n`, afterLast(/^ {4}\{ "path": "apps\/.*\n/gm));
  insert(
    tree,
    'README.md',
    `| [\`${name}\`](${folder}) | counts words, and proves that it has counted them all |\n`,
    afterLast(/^\| \[`[a-z0-9-]+`\]\(apps\/.*\n/gm),
  );
  return formatLater(
    tree,
    [folder],
    [
      `${folder} is there: npx --yes pnpm@12 example ${name}`,
      `Its tests: npx --yes pnpm@12 vitest --project ${name}`,
    ],
  );
}

const TSCONFIG = `{
  "extends": "../../tsconfig.check.json",
  "include": ["src", "test"],
  "references": [{ "path": "../../packages/core" }]
}
`;
