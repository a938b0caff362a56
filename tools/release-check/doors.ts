/** Opens each door of an installed package as its users do: by `import`, by `require`, and by the compiler. */

import fs from 'node:fs';
import path from 'node:path';
import type { Manifest } from './manifest.ts';
import { type ProgramOptions, runToEnd } from './program.ts';

/** Imports and requires each of `doors`, in the project. @returns what is wrong, a line each. */
export async function openDoors(
  doors: readonly string[],
  project: string,
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<string[]> {
  const file = path.join(project, 'open.mjs');
  // Node requires an ES module from 20.19 on.
  fs.writeFileSync(
    file,
    `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
for (const door of ${JSON.stringify(doors)}) {
  for (const [how, open] of [['import', () => import(door)], ['require', () => require(door)]]) {
    if (how === 'require' && !process.features.require_module) continue;
    try {
      if (Object.keys(await open()).length === 0) console.log(how + ' of ' + door + ' names nothing');
    } catch (error) {
      console.log(how + ' of ' + door + ' fails: ' + String(error.message).split('\\n')[0]);
    }
  }
}
`,
  );
  const { code, output } = await runToEnd(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    ...options,
    cwd: project,
  });
  const said = output.split('\n').filter((line) => line !== '');
  return code === 0 ? said : [`a process that opens ${doors.join(', ')} ended with ${code}: ${output}`];
}

/** Runs each command that a package brings, asked for help. @returns what is wrong, a line each. */
export async function askCommands(
  { name, bin = {} }: Manifest,
  project: string,
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const command of typeof bin === 'string' ? [name.slice(name.indexOf('/') + 1)] : Object.keys(bin)) {
    const program = path.join(project, 'node_modules/.bin', command);
    const { code, output } = await runToEnd(program, ['--help'], { ...options, cwd: project }).catch(
      (error: Error) => ({ code: 1, output: error.message }),
    );
    if (code !== 0) problems.push(`${command} --help ended with ${code}: ${output.trim()}`);
  }
  return problems;
}

const RESOLUTIONS = [
  { moduleResolution: 'nodenext', module: 'nodenext' },
  { moduleResolution: 'bundler', module: 'esnext' },
] as const;

/**
 * Compiles a file for each of `doors` in the project, once for each way to resolve, with `skipLibCheck` off: the types of the
 * package, and of what they speak of, have to be right themselves.
 * @param types where packages of types are that a user of these doors has; they are linked into the project.
 * @returns what is wrong, a line each.
 */
export async function checkTypes(
  doors: readonly string[],
  project: string,
  types: Readonly<Record<string, string>>,
  compiler: string,
  options: Omit<ProgramOptions, 'cwd'>,
): Promise<string[]> {
  if (doors.length === 0) return [];
  for (const [name, from] of Object.entries(types)) {
    const link = path.join(project, 'node_modules', name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    if (!fs.existsSync(link)) fs.symlinkSync(from, link);
  }
  const files = doors.map((door, at) => {
    const file = `door-${at}.ts`;
    // What is found without types is `any`, and that is not an error of its own everywhere.
    fs.writeFileSync(
      path.join(project, file),
      `import * as door from ${JSON.stringify(door)};
type IsAny<T> = 0 extends 1 & T ? true : false;
export const isAny: IsAny<typeof door> = false;
export type Name = keyof typeof door;
`,
    );
    return file;
  });
  const problems: string[] = [];
  for (const { module, moduleResolution } of RESOLUTIONS) {
    const config = path.join(project, `tsconfig.${moduleResolution}.json`);
    fs.writeFileSync(
      config,
      JSON.stringify({
        compilerOptions: {
          module,
          moduleResolution,
          target: 'es2023',
          // What a browser has, and `Symbol.asyncDispose`, which neither it nor ES2023 knows: docs/limits.md says so.
          lib: ['es2023', 'dom', 'esnext.disposable'],
          strict: true,
          skipLibCheck: false,
          noEmit: true,
          types: Object.keys(types).map((name) => name.replace('@types/', '')),
        },
        files,
      }),
    );
    const { code, output } = await runToEnd(compiler, ['-p', config], { ...options, cwd: project });
    if (code !== 0) {
      const said = output.trim().split('\n');
      const more = said.length > 5 ? [`and ${said.length - 5} lines more`] : [];
      problems.push(
        `under moduleResolution ${moduleResolution}: ${[...said.slice(0, 5), ...more].join('\n')}`,
      );
    }
  }
  return problems;
}
