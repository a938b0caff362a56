// @ts-check
// Infers the targets of each package, app and tools folder from the files that are there, so that a new package
// writes none. Plain JavaScript, because Nx loads it without a compiler; `nx:run-commands` from the root,
// because `nx:run-script` looks for a pnpm that a fresh machine does not have.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @type {import('nx/src/project-graph/plugins').CreateNodes} */
export const createNodes = [
  '{packages/*,apps/*,docs,tools,tools/app-kit}/package.json',
  (files, _options, { workspaceRoot }) =>
    files.map((file) => {
      const root = dirname(file);
      return [
        file,
        {
          projects: {
            [root]: { targets: targetsOf(root, (path) => existsSync(join(workspaceRoot, root, path))) },
          },
        },
      ];
    }),
];

/**
 * @param {string} root
 * @param {(path: string) => boolean} has
 */
function targetsOf(root, has) {
  /** @type {Record<string, import('nx/src/config/workspace-json-project-json').TargetConfiguration>} */
  const targets = {};
  const isPackage = has('tsconfig.test.json');
  if (isPackage) {
    targets['build'] = {
      ...command(`node -e "fs.rmSync('${root}/dist',{recursive:true,force:true})" && tsc -b ${root}`),
      // What it depends on is built first: two compilers must not write one dist at once.
      dependsOn: ['^build'],
      inputs: ['source', '^source', 'toolchain'],
      outputs: ['{projectRoot}/dist'],
    };
  }
  if (has('tsconfig.json')) {
    targets['typecheck'] = {
      ...command(`tsc -b ${root}${isPackage ? `/tsconfig.test.json` : ''}`),
      dependsOn: ['build', '^build'],
      inputs: ['everything', '^source', 'toolchain'],
    };
  }
  if (has('test')) {
    targets['test'] = {
      // The project of vitest.config.ts that bears the folder's name.
      ...command(`vitest run --project ${root.split('/').at(-1)}`),
      inputs: ['everything', '^source', 'toolchain'],
    };
  }
  return targets;
}

/** @param {string} line */
function command(line) {
  return { executor: 'nx:run-commands', options: { command: line, cwd: '{workspaceRoot}' }, cache: true };
}
