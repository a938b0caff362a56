/**
 * Makes packages/observe/src/inspector/page.generated.ts of what is in the folder `page` beside it: `pnpm page:inspector`.
 * It is kept in the repository, so that tests, and whoever runs from source, need no build; a test compares the two.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Rolldown } from 'vite';

const inspector = path.resolve(import.meta.dirname, '../packages/observe/src/inspector');

export const generatedFile: string = path.join(inspector, 'page.generated.ts');

/** The text of that file, as it ought to be. */
export async function generatePage(): Promise<string> {
  const read = (name: string): string => readFileSync(path.join(inspector, 'page', name), 'utf8');
  const files = {
    '': ['text/html; charset=utf-8', read('page.html')],
    'page.js': ['text/javascript; charset=utf-8', await bundle()],
    'page.css': ['text/css; charset=utf-8', squeezed(read('page.css'))],
    'icon.svg': ['image/svg+xml', read('icon.svg')],
  };
  const entries = Object.entries(files).map(
    ([name, [type, text]]) =>
      `  [${JSON.stringify(name)}, { type: ${JSON.stringify(type)}, text: ${JSON.stringify(text)} }],\n`,
  );
  return [
    '/** The page of the inspector, made of the folder `page` by tools/inspector-page.ts. */\n\n',
    'export interface PageFile {\n  readonly type: string;\n  readonly text: string;\n}\n\n',
    `export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([\n${entries.join('')}]);\n`,
  ].join('');
}

async function bundle(): Promise<string> {
  const built = (await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: path.join(inspector, 'page/main.ts') },
    },
  })) as Rolldown.RolldownOutput;
  return built.output[0].code;
}

/** Without what only people read. */
function squeezed(css: string): string {
  return css.replace(/^\s+/gmu, '').replace(/\n(?!@)/gu, '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(generatedFile, await generatePage());
