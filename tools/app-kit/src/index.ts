/** What the programs of apps have in common. */

export { type App, ArgumentError, Refusal, runApp } from './run-app.ts';
export { OwnPostgres, type OwnPostgresOptions } from './own-postgres.ts';
export {
  checkOneOf,
  checkPath,
  checkPostgres,
  checkWhole,
  fromWhereItWasTyped,
} from './check-arguments.ts';
