#!/usr/bin/env node
/** The program: `npm create @streamweld/connector`. Exit codes: 0 where it is begun, 1 where it could not be. */

import { command, processTerminal } from './command.ts';
import { CreateError } from './errors.ts';

try {
  await command(process.argv.slice(2), processTerminal());
} catch (error) {
  if (!(error instanceof CreateError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
