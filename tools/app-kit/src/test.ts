/** What the tests of apps have in common. */

export { AppProcess, type AppProcessOptions, type Ended, hasTerminal } from './app-process.ts';
export { describeWithOwnPostgres } from './describe-with-own-postgres.ts';
export { expectProved } from './expect-proved.ts';
export { ask, newDatabase, untilCount } from './databases.ts';
