/** What `npm create @streamweld/connector` does with its arguments. */

import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { type Created, createConnector } from './create.ts';
import { CreateError } from './errors.ts';

const USAGE = `Begins a connector of StreamWeld: a source and a sink that pass the suites of @streamweld/testing.

  npm create @streamweld/connector [NAME] [FOLDER]
  npm create @streamweld/connector NAME FOLDER -- --package @you/redis-streams

  NAME            small letters, digits and hyphens, as redis-streams. In a terminal it is asked for
  FOLDER          empty, or not there yet. Default: as the package, in the current folder
  --package NAME  the name of the package. Default: streamweld-NAME
  --help          this text`;

/** The terminal, or what stands for it. */
export interface Terminal {
  readonly isInteractive: boolean;
  ask(question: string): Promise<string>;
  say(text: string): void;
}

/** @throws CreateError */
export async function command(args: readonly string[], terminal: Terminal): Promise<void> {
  const { values, positionals } = parse(args);
  if (values.help) {
    terminal.say(USAGE);
    return;
  }
  const [given, folder] = positionals;
  const name = given ?? (await askForName(terminal));
  terminal.say(nextSteps(await createConnector({ name, folder, packageName: values.package })));
}

function parse(args: readonly string[]) {
  const options = {
    help: { type: 'boolean', short: 'h', default: false },
    package: { type: 'string' },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new CreateError('SW_CREATE_ARGUMENT_INVALID', `${(error as Error).message}\n\n${USAGE}`);
  }
  if (parsed.positionals.length > 2) {
    throw new CreateError(
      'SW_CREATE_ARGUMENT_INVALID',
      `Expected a name and a folder, got ${parsed.positionals.length} words.\n\n${USAGE}`,
    );
  }
  return parsed;
}

async function askForName(terminal: Terminal): Promise<string> {
  if (!terminal.isInteractive) {
    throw new CreateError(
      'SW_CREATE_NAME_MISSING',
      `A name must be given where nobody can be asked.\n\n${USAGE}`,
    );
  }
  return (await terminal.ask('What does it connect to? (as redis-streams) ')).trim();
}

function nextSteps({ names, folder, files }: Created): string {
  const where = path.relative('.', folder);
  return `${names.packageName} begins with ${files.length} files in ${folder}

${where === '' ? '' : `  cd ${where}\n`}  npm install
  npm test             the rules of sources and sinks, green from the start
  npm run build

Then replace src/memory-server.ts, the example, by the client of your system: src/client.ts is the only file that
imports it. Choose a licence: a file LICENSE, and "license" in package.json.
https://github.com/streamweld/streamweld/blob/main/docs/guides/write-a-connector.md goes through it.`;
}

/** That of the process. */
export function processTerminal(): Terminal {
  const { stdin, stdout } = process;
  return {
    isInteractive: stdin.isTTY === true && stdout.isTTY === true,
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stdout });
      try {
        return await lines.question(question);
      } finally {
        lines.close();
      }
    },
    say: (text) => void stdout.write(`${text}\n`),
  };
}
