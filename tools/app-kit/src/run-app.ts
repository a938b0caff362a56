/** The frame of a program: from its arguments to its exit code. */

import { GracefulShutdown, type GracefulShutdownOptions, isStreamWeldError } from '@streamweld/core';

/** An argument that cannot be meant. Its message says what was expected. */
export class ArgumentError extends Error {}

/** What an app refuses, or cannot do: a code, and a message that says what can be done. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface App<Given> {
  /** What can be given: for `--help`, and behind what is wrong with an argument. */
  readonly usage: string;
  /** What is given, `--help` excepted. It is called before anything is begun. @throws ArgumentError */
  readonly read: (args: readonly string[]) => Given;
  /**
   * All of it, from the first line to the proof. What is large is best loaded in here: an argument that cannot be meant is
   * answered at once then.
   * @returns whether what must hold does
   */
  readonly work: (given: Given, shutdown: GracefulShutdown) => Promise<boolean>;
  /** What a Ctrl-C is answered with, where it is not the default. */
  readonly shutdown?: (given: Given) => GracefulShutdownOptions;
}

/** `interrupted` is what a shell makes of SIGINT. */
const EXIT = { proved: 0, wrong: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs an app with the arguments of its process, and sets the exit code: 0 where all holds, 1 where something does not or
 * failed, 2 where an argument cannot be meant, 130 after a second Ctrl-C. An error that has a code is told in a line, and
 * any other with its stack.
 */
export async function runApp<Given>(app: App<Given>): Promise<void> {
  // Whoever reads the report may have read enough, as `head` has: then there is nobody left to work for.
  process.stdout.on('error', () => process.exit(EXIT.wrong));
  // `pnpm start -- --limit 100` passes the two dashes on.
  const args = process.argv.slice(process.argv[2] === '--' ? 3 : 2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${app.usage}\n`);
    return;
  }
  try {
    process.exitCode = await run(app, args);
  } catch (error) {
    process.exitCode = failed(error, app.usage);
  }
}

async function run<Given>({ read, work, shutdown: options }: App<Given>, args: readonly string[]) {
  const given = read(args);
  using shutdown = new GracefulShutdown(options?.(given));
  try {
    const isProved = await work(given, shutdown);
    shutdown.signal.throwIfAborted();
    return isProved ? EXIT.proved : EXIT.wrong;
  } catch (error) {
    // What an abort makes fail on its way out is not what happened.
    shutdown.signal.throwIfAborted();
    throw error;
  }
}

function failed(error: unknown, usage: string): number {
  if (error instanceof ArgumentError) {
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    return EXIT.usage;
  }
  if (isStreamWeldError(error) && error.code === 'SW_PROGRAM_INTERRUPTED') {
    process.stderr.write(`${error.message}\n`);
    return EXIT.interrupted;
  }
  const refusal = refusalOf(error);
  if (refusal !== undefined) process.stderr.write(`${refusal.code}: ${refusal.message}\n`);
  else if (isStreamWeldError(error)) process.stderr.write(`${error.code}: ${withCauses(error)}\n`);
  else console.error(error);
  return EXIT.wrong;
}

/** What was refused, where that is what an error comes from. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  return error instanceof Error ? refusalOf(error.cause) : undefined;
}

/** What somebody else threw is not in the message of an error of StreamWeld. */
function withCauses({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}\n  because: ${withCauses(cause)}` : message;
}
