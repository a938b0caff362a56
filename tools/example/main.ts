/** Lists the examples, or runs one: `npx --yes pnpm@12 example [name] [its arguments]`. */

import { isatty } from 'node:tty';
import { pathToFileURL } from 'node:url';
import { choose } from './choose.ts';
import { type Example, findExamples, GROUPS, listLines } from './examples.ts';

const COMMAND = 'npx --yes pnpm@12 example';
const EXIT = { usage: 2, interrupted: 130 } as const;

const examples = findExamples();
const list = (those: readonly Example[]): string[] => listLines(those, process.stdout.columns ?? 120);
const choice = choose(process.argv.slice(2), examples);
switch (choice.kind) {
  case 'list':
    console.log(
      [`${COMMAND} <name> [options]    <name> --help tells its options`, '', ...list(examples)].join('\n'),
    );
    break;
  case 'unknown':
    console.error([choice.message, 'There are:', ...list(examples)].join('\n'));
    process.exitCode = EXIT.usage;
    break;
  case 'ask':
    if (isInteractive()) await ask(choice.among, choice.args);
    else
      console.log(
        [
          GROUPS[choice.group],
          ...list(choice.among).slice(1),
          `Name one: ${COMMAND} ${choice.among[0]?.name}`,
        ].join('\n'),
      );
    break;
  case 'run':
    await run(choice.example, choice.args);
    break;
}

/** In this process: signals, the terminal and the exit code are its own. */
async function run({ main }: Example, args: readonly string[]): Promise<void> {
  process.argv.splice(1, process.argv.length - 1, main, ...args);
  await import(pathToFileURL(main).href);
}

async function ask(among: readonly Example[], args: readonly string[]): Promise<void> {
  const { isCancel, select } = await import('@clack/prompts');
  const width = Math.max(...among.map(({ name }) => name.length)) + 2;
  const answer = await select({
    message: 'Which one?',
    options: among.map((example) => ({
      value: example,
      label: `${example.name.padEnd(width)}${example.description}`,
    })),
  });
  if (isCancel(answer)) process.exitCode = EXIT.interrupted;
  else await run(answer, args);
}

/** A question without a terminal would never be answered. */
function isInteractive(): boolean {
  const { CI, TERM } = process.env;
  const isOfCi = CI !== undefined && CI !== '' && CI !== '0' && CI !== 'false';
  return isatty(0) && isatty(1) && !isOfCi && TERM !== 'dumb';
}
